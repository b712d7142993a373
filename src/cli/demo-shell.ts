/** The prompt at the end of the demo. */
import type { Controller, ServerLayout } from '../walbc/index.ts';
import { VOLUME } from './demo-story.ts';
import type { BackupGroup } from './group.ts';

export interface DemoShellOptions {
  readonly group: BackupGroup;
  readonly walbc: Controller;
  readonly layout: ServerLayout;
}

export async function demoShell(_options: DemoShellOptions): Promise<void> {
  void VOLUME;
}
