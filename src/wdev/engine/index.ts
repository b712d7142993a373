export { blockBackend } from './block-backend.ts';
export { type EngineStatus, WalbDevice } from './engine.ts';
export type { BlockHooks } from './hooks.ts';
export {
  type DeviceFiles,
  type FormatDeviceOptions,
  formatDevice,
  MIN_RING_PB,
  type OpenDeviceOptions,
  openDevice,
} from './open.ts';
export type { WriteRequest } from './requests.ts';
