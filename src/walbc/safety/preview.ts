/** The plan of a call: pure by given facts, or by facts asked for now. */
import type { Clock } from '../../core/index.ts';
import type { Controller } from '../controller/controller.ts';
import { callText } from './call-text.ts';
import { type Call, needOf, partsOf } from './calls.ts';
import type { Facts } from './facts.ts';
import { gatherFacts } from './gather.ts';
import { Plan } from './plan.ts';

/** What the call would do, by these facts. */
export function planOf(call: Call, facts: Facts): Plan {
  return Plan.of(callText(call), partsOf(call, facts));
}

/** The same by what the servers say now. Only asks; nothing is changed. */
export async function previewCall(call: Call, clock: Clock): Promise<Plan> {
  const walbc = call.className === 'Controller' ? (call.target as Controller) : undefined;
  return planOf(call, await gatherFacts(walbc, needOf(call), clock));
}
