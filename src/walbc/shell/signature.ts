/** Signatures of what can be called at the prompt: for help, completion and keyword arguments. */

/** What a call looks like from outside: the class it belongs to, its name and its parameters. */
export interface Signature {
  readonly className: string;
  readonly name: string;
  readonly params: readonly string[];
}

/** The parameter that calls which change something have behind their own. */
export const DRY_RUN = 'dry_run = false';

const signatures = new WeakMap<object, Signature>();

/** The signature of a stand-in method, function or class; undefined for anything else. */
export function signatureOf(value: unknown): Signature | undefined {
  return typeof value === 'function' ? signatures.get(value) : undefined;
}

/** Gives a class or function of the worker its signature, for help and completion. */
export function nameSignature<T extends object>(value: T, signature: Signature): T {
  signatures.set(value, signature);
  return value;
}
