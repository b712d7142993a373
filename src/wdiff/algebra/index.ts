export * from './chain.ts';
export * from './diff.ts';
export * from './diff-set.ts';
export * from './history.ts';
export * from './meta-file.ts';
export * from './meta-state.ts';
export * from './plan.ts';
export * from './snapshot.ts';
