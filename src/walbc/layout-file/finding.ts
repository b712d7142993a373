/** One thing that `walbc layout check` has to say. */
export interface Finding {
  readonly level: 'error' | 'warning';
  /** Server or setting it is about. */
  readonly about: string;
  /** What is wrong, and what to do. */
  readonly text: string;
}
