export {
  checkDeviceName,
  DEFAULT_DEVICE_DIRECTORY,
  type DeviceDefinition,
  type DevicePaths,
  deviceNameOf,
  devicePathOf,
} from './definition.ts';
export { DeviceDirectory } from './device-directory.ts';
export { type DeviceServiceOptions, deviceBindings } from './device-service.ts';
export { deviceOpener, type OpenerOptions } from './opener.ts';
export { openRemoteDevice, RemoteDevice, type RemoteDeviceOptions } from './remote-device.ts';
export { DEFAULT_LOG_SIZE, type ServedDevice, type ServeOptions, serveDevice } from './serve.ts';
export { runningDevice, type StartOptions, startDevice, stopDevice } from './spawn.ts';
