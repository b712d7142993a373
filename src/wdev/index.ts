export * from './engine/index.ts';
export * from './volume-device.ts';
