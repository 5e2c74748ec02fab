import type { Command, Reply } from '../lib/store/command.ts'
import type { ErrorCode, ErrorDetails } from '../lib/store/errors.ts'
import type { AlonceRecord, RecordKey } from '../lib/store/record.ts'
import type { Capabilities } from '../lib/store/store.ts'

/** What the server says first on every connection, so that a client knows the time before it sends anything. */
export interface Hello {
  /** The store's time, whole epoch milliseconds. */
  readonly nowMs: number
  readonly capabilities: Capabilities
}

export interface Request {
  readonly id: number
  readonly delivery?: string | undefined
  /** A command, or a read of `key`. */
  readonly command?: Command | undefined
  readonly key?: RecordKey | undefined
  readonly resent: boolean
  readonly firstSentAtMs: number
}

export interface Response {
  readonly id: number
  readonly nowMs: number
  /** Of a command. */
  readonly reply?: Reply | undefined
  /** Of a read. */
  readonly record?: AlonceRecord | undefined
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails } | undefined
}

/** What the server's time is cut down to. */
export const RESOLUTION_MS = 1

/** A result travels in one frame, in base64 and with room for the rest of its record. */
export const MAX_RESULT_BYTES = 524_288
