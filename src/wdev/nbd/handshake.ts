/**
 * The server's side of the negotiation as a state machine over bytes: no sockets, no clock.
 *
 * `consume` takes what has arrived and says how much of it was used; answers go to `send`. Once
 * `outcome` is no longer `negotiating`, unused bytes belong to whatever comes next.
 *
 * Source: NBD `doc/proto.md`, "Fixed newstyle negotiation" and "SELECTIVETLS/FORCEDTLS mode"
 * (with TLS configured this server is in FORCEDTLS mode: nothing is served or listed in the clear).
 */
import { KIB, MIB } from '../../core/index.ts';
import type { BlockBackend } from './backend.ts';
import {
  decodeGo,
  decodeMetaContext,
  decodeText,
  encodeExportNameReply,
  encodeInfoBlockSize,
  encodeInfoExport,
  encodeInfoText,
  encodeMetaContextReply,
  encodeOptionError,
  encodeOptionReply,
  encodeServerEntry,
  type GoRequest,
  transmissionFlags,
  viewOf,
} from './options.ts';
import {
  BASE_ALLOCATION,
  BASE_ALLOCATION_ID,
  HandshakeFlag,
  Info,
  MAX_STRING,
  OPTION_HEADER_SIZE,
  OPTION_MAGIC,
  Option,
  OptionReply,
} from './protocol.ts';

/** Longest option taken in: a name, a full list of information types, some context queries. */
const MAX_OPTION = 64 * KIB;
/** Longer options up to this are read away and answered ERR_TOO_BIG; beyond it: disconnect. */
const MAX_SKIPPED_OPTION = MIB;
/** Options of one connection: `nbdinfo --list` asks a few per export; endless haggling is cut. */
const MAX_OPTIONS = 10_000;
/** Smallest block a client may assume without asking, as every disk has sectors of 512 bytes. */
const USUAL_SECTOR = 512;

export interface NbdExport {
  readonly name: string;
  readonly description: string;
  readonly backend: BlockBackend;
}

export interface ExportCatalogue {
  list(): readonly NbdExport[];
  /** The empty name means the only export, when there is exactly one. */
  find(name: string): NbdExport | undefined;
}

export type TlsState = 'unavailable' | 'required' | 'active';

/** What both sides agreed on. */
export interface Agreement {
  readonly export: NbdExport;
  readonly structured: boolean;
  /** The client may ask for `base:allocation`. */
  readonly allocation: boolean;
}

export type HandshakeOutcome =
  | { readonly kind: 'negotiating' }
  | { readonly kind: 'agreed'; readonly agreement: Agreement }
  | { readonly kind: 'start-tls' }
  /** The connection is to be closed; `fault` says why when it is the client's. */
  | { readonly kind: 'end'; readonly fault: string | undefined };

export interface HandshakeOptions {
  readonly catalogue: ExportCatalogue;
  readonly tls: TlsState;
  readonly send: (bytes: Uint8Array) => void;
}

type OptionHandler = (payload: Uint8Array, option: number) => void;

export class ServerHandshake {
  outcome: HandshakeOutcome = { kind: 'negotiating' };
  readonly #catalogue: ExportCatalogue;
  readonly #tls: TlsState;
  readonly #send: (bytes: Uint8Array) => void;
  #flagsSeen: boolean;
  #padded = true;
  #structured = false;
  #contextFor: NbdExport | undefined;
  #options = 0;
  #skip = 0;

  constructor(options: HandshakeOptions) {
    this.#catalogue = options.catalogue;
    this.#tls = options.tls;
    this.#send = options.send;
    // Inside TLS the haggling goes on where it was: greeting and client flags are not repeated.
    this.#flagsSeen = options.tls === 'active';
  }

  /**
   * Uses at most one message at the start of `bytes`; returns how many bytes it was, 0 when it is
   * not whole yet. One at a time, so that the caller can wait until the answers have gone out.
   */
  consume(bytes: Uint8Array): number {
    if (this.outcome.kind !== 'negotiating') return 0;
    if (this.#skip > 0) {
      const step = Math.min(this.#skip, bytes.length);
      this.#skip -= step;
      return step;
    }
    return this.#flagsSeen ? this.#optionStep(bytes) : this.#flagsStep(bytes);
  }

  #flagsStep(bytes: Uint8Array): number {
    if (bytes.length < 4) return 0;
    const flags = viewOf(bytes).getUint32(0);
    const known = HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES;
    if ((flags & ~known) !== 0) this.#end(`unknown client flags 0x${flags.toString(16)}`);
    this.#padded = (flags & HandshakeFlag.NO_ZEROES) === 0;
    this.#flagsSeen = true;
    return 4;
  }

  #optionStep(bytes: Uint8Array): number {
    if (bytes.length < OPTION_HEADER_SIZE) return 0;
    const view = viewOf(bytes);
    const option = view.getUint32(8);
    const length = view.getUint32(12);
    if (view.getBigUint64(0) !== OPTION_MAGIC) return this.#end('option without its magic');
    if (++this.#options > MAX_OPTIONS) return this.#end(`more than ${MAX_OPTIONS} options`);
    if (length > MAX_OPTION) return this.#refuseLong(option, length);
    const size = OPTION_HEADER_SIZE + length;
    if (bytes.length < size) return 0;
    this.#handle(option, bytes.subarray(OPTION_HEADER_SIZE, size));
    return size;
  }

  #refuseLong(option: number, length: number): number {
    if (length > MAX_SKIPPED_OPTION || option === Option.EXPORT_NAME) {
      return this.#end(`option ${option} of ${length} bytes`);
    }
    this.#skip = length;
    this.#error(option, OptionReply.ERR_TOO_BIG, `options of at most ${MAX_OPTION} bytes, please`);
    return OPTION_HEADER_SIZE;
  }

  #handle(option: number, payload: Uint8Array): void {
    const handler = this.#handlers[option];
    if (this.#tls === 'required' && option !== Option.STARTTLS && option !== Option.ABORT) {
      this.#refuseInTheClear(option);
    } else if (handler === undefined) {
      this.#error(option, OptionReply.ERR_UNSUP, `option ${option} is not known here`);
    } else {
      handler(payload, option);
    }
  }

  #refuseInTheClear(option: number): void {
    if (option === Option.EXPORT_NAME) this.#end('EXPORT_NAME without TLS');
    else this.#error(option, OptionReply.ERR_TLS_REQD, 'this server wants TLS first (STARTTLS)');
  }

  /** Which handler answers which option; what is missing is ERR_UNSUP (EXTENDED_HEADERS is). */
  readonly #handlers: Readonly<Record<number, OptionHandler | undefined>> = {
    [Option.EXPORT_NAME]: (payload) => this.#exportName(payload),
    [Option.ABORT]: (_payload, option) => {
      this.#ack(option);
      this.outcome = { kind: 'end', fault: undefined };
    },
    [Option.LIST]: (payload, option) => this.#list(payload, option),
    [Option.STARTTLS]: (payload, option) => this.#startTls(payload, option),
    [Option.INFO]: (payload, option) => this.#go(payload, option),
    [Option.GO]: (payload, option) => this.#go(payload, option),
    [Option.STRUCTURED_REPLY]: (payload, option) => this.#structuredReply(payload, option),
    [Option.LIST_META_CONTEXT]: (payload, option) => this.#metaContext(payload, option),
    [Option.SET_META_CONTEXT]: (payload, option) => this.#metaContext(payload, option),
  };

  /** The one option whose failure has no reply: the connection is dropped. */
  #exportName(payload: Uint8Array): void {
    const name = decodeText(payload);
    const found = name === undefined ? undefined : this.#catalogue.find(name);
    if (found === undefined) {
      this.#end('EXPORT_NAME names no export');
      return;
    }
    const flags = transmissionFlags(found.backend, this.#structured);
    this.#send(encodeExportNameReply(found.backend.size, flags, this.#padded));
    this.#agree(found);
  }

  #list(payload: Uint8Array, option: number): void {
    if (payload.length > 0) {
      this.#error(option, OptionReply.ERR_INVALID, 'LIST takes no data');
      return;
    }
    for (const { name, description } of this.#catalogue.list()) {
      const entry = encodeServerEntry(name, description);
      this.#send(encodeOptionReply(option, OptionReply.SERVER, entry));
    }
    this.#ack(option);
  }

  #startTls(payload: Uint8Array, option: number): void {
    if (payload.length > 0) {
      this.#error(option, OptionReply.ERR_INVALID, 'STARTTLS takes no data');
    } else if (this.#tls === 'active') {
      this.#error(option, OptionReply.ERR_INVALID, 'TLS is on already');
    } else if (this.#tls === 'unavailable') {
      this.#error(option, OptionReply.ERR_UNSUP, 'this server has no TLS certificate');
    } else {
      this.#ack(option);
      this.outcome = { kind: 'start-tls' };
    }
  }

  #structuredReply(payload: Uint8Array, option: number): void {
    if (payload.length > 0) {
      this.#error(option, OptionReply.ERR_INVALID, 'STRUCTURED_REPLY takes no data');
      return;
    }
    this.#structured = true;
    this.#ack(option);
  }

  #go(payload: Uint8Array, option: number): void {
    const request = decodeGo(payload);
    if (request === undefined) {
      this.#error(
        option,
        OptionReply.ERR_INVALID,
        `malformed request, names have ${MAX_STRING} bytes`,
      );
      return;
    }
    const found = this.#findExport(request.name, option);
    if (found === undefined) return;
    if (!this.#blockSizeUnderstood(found, request)) {
      this.#error(option, OptionReply.ERR_BLOCK_SIZE_REQD, 'ask for the block size of this export');
      return;
    }
    this.#sendInfos(found, request, option);
    this.#ack(option);
    if (option === Option.GO) this.#agree(found);
  }

  #blockSizeUnderstood(found: NbdExport, request: GoRequest): boolean {
    return found.backend.blockSizes.minimum <= USUAL_SECTOR || request.infos.has(Info.BLOCK_SIZE);
  }

  #sendInfos(found: NbdExport, request: GoRequest, option: number): void {
    const { backend, name, description } = found;
    const infos = [encodeInfoExport(backend.size, transmissionFlags(backend, this.#structured))];
    if (request.infos.has(Info.NAME)) infos.push(encodeInfoText(Info.NAME, name));
    if (request.infos.has(Info.DESCRIPTION) && description !== '') {
      infos.push(encodeInfoText(Info.DESCRIPTION, description));
    }
    if (request.infos.has(Info.BLOCK_SIZE)) infos.push(encodeInfoBlockSize(backend.blockSizes));
    for (const info of infos) this.#send(encodeOptionReply(option, OptionReply.INFO, info));
  }

  #metaContext(payload: Uint8Array, option: number): void {
    const setting = option === Option.SET_META_CONTEXT;
    const request = decodeMetaContext(payload);
    if (request === undefined || !this.#structured) {
      const why = request === undefined ? 'malformed request' : 'STRUCTURED_REPLY must come first';
      this.#error(option, OptionReply.ERR_INVALID, why);
      return;
    }
    // A new selection replaces the old one even when it fails.
    if (setting) this.#contextFor = undefined;
    const found = this.#findExport(request.name, option);
    if (found === undefined) return;
    if (selectsAllocation(request.queries, setting)) {
      const id = setting ? BASE_ALLOCATION_ID : 0;
      const context = encodeMetaContextReply(id, BASE_ALLOCATION);
      this.#send(encodeOptionReply(option, OptionReply.META_CONTEXT, context));
      if (setting) this.#contextFor = found;
    }
    this.#ack(option);
  }

  #findExport(name: string, option: number): NbdExport | undefined {
    const found = this.#catalogue.find(name);
    if (found === undefined) {
      this.#error(option, OptionReply.ERR_UNKNOWN, `no export named '${name.slice(0, 64)}'`);
    }
    return found;
  }

  #agree(found: NbdExport): void {
    const allocation = this.#contextFor === found;
    const agreement = { export: found, structured: this.#structured, allocation };
    this.outcome = { kind: 'agreed', agreement };
  }

  #ack(option: number): void {
    this.#send(encodeOptionReply(option, OptionReply.ACK));
  }

  #error(option: number, type: number, message: string): void {
    this.#send(encodeOptionError(option, type, message));
  }

  #end(fault: string): number {
    this.outcome = { kind: 'end', fault };
    return 0;
  }
}

/** LIST takes a namespace or nothing as "everything"; SET takes exact names only. */
function selectsAllocation(queries: readonly string[], setting: boolean): boolean {
  if (queries.includes(BASE_ALLOCATION)) return true;
  return !setting && (queries.length === 0 || queries.includes('base:'));
}
