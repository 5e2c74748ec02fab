import type { Command, Reply } from '../lib/store/command.ts'
import type { ErrorCode, ErrorDetails } from '../lib/store/errors.ts'
import type { AlonceRecord, RecordKey } from '../lib/store/record.ts'
import type { Capabilities } from '../lib/store/store.ts'
import type { Interval } from '../lib/store/time.ts'

/** What the server says first on every connection, so that a client knows the time before it sends anything. */
export interface Hello {
  readonly now: Interval
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
  readonly now: Interval
  /** Of a command. */
  readonly reply?: Reply | undefined
  /** Of a read. */
  readonly record?: AlonceRecord | undefined
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails } | undefined
}

/** A result travels in one frame, in base64 and with room for the rest of its record. */
export const MAX_RESULT_BYTES = 524_288
