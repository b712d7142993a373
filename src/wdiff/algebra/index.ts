export * from './diff.ts';
export * from './meta-state.ts';
export * from './snapshot.ts';
