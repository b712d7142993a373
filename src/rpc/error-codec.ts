/**
 * WalbError as `ErrorInfo` of the contract: code, message and details cross unchanged, within
 * MAX_ERROR bytes; the cause and the stack stay where they are.
 */
import { type ErrorDetail, isErrorCode, WalbError } from '../core/index.ts';
import { messageCodec } from './codec.ts';
import { type ErrorDetail as DetailMessage, ErrorInfo } from './generated/walb/v1/common.ts';
import { MAX_ERROR } from './limits.ts';

/** Message characters kept; the rest of MAX_ERROR is for details. */
const MAX_ERROR_MESSAGE = 2048;

const infoCodec = messageCodec(ErrorInfo);

/** The error as a message, for trailers, TaskResult and LastError. */
export function toErrorInfo(error: WalbError): ErrorInfo {
  const details = Object.entries(error.details).map(([name, value]) => toDetail(name, value));
  return { code: error.code, message: cut(error.message, MAX_ERROR_MESSAGE), details };
}

/** The error a message describes; an unknown code becomes `internal`. */
export function fromErrorInfo(info: ErrorInfo): WalbError {
  const details = Object.fromEntries(info.details.map((item) => [item.name, fromDetail(item)]));
  if (isErrorCode(info.code)) return new WalbError(info.code, info.message, { details });
  const message = `${info.message} (error code ${JSON.stringify(info.code)} is not known here)`;
  return new WalbError('internal', message, { details });
}

/** At most MAX_ERROR bytes; details that do not fit are left out from the end. */
export function encodeError(error: WalbError): Uint8Array {
  const info = toErrorInfo(error);
  let bytes = infoCodec.encode(info);
  while (bytes.length > MAX_ERROR) {
    info.details.pop();
    bytes = infoCodec.encode(info);
  }
  return bytes;
}

/** Throws `corrupt` for bytes that are no ErrorInfo. */
export function decodeError(bytes: Uint8Array): WalbError {
  return fromErrorInfo(infoCodec.decode(bytes));
}

function toDetail(name: string, value: ErrorDetail): DetailMessage {
  switch (typeof value) {
    case 'string':
      return { name, value: { $case: 'text', value } };
    case 'number':
      return { name, value: { $case: 'number', value } };
    case 'bigint':
      return { name, value: { $case: 'integer', value: value.toString() } };
    case 'boolean':
      return { name, value: { $case: 'flag', value } };
    default:
      return { name, value: undefined };
  }
}

function fromDetail({ value }: DetailMessage): ErrorDetail {
  if (value?.$case !== 'integer') return value?.value;
  return /^-?\d{1,40}$/.test(value.value) ? BigInt(value.value) : value.value;
}

/** Well-formed text of at most `length` UTF-16 units. */
function cut(text: string, length: number): string {
  return (text.length <= length ? text : `${text.slice(0, length - 1)}…`).toWellFormed();
}
