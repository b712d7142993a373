export {
  KernelDevice,
  type KernelOptions,
  kernelOpener,
  type WdevcRunner,
} from './kernel-device.ts';
export { openUncached, wdevcRunner } from './shell.ts';
