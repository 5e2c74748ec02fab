import type { ErrorCode } from '../store/errors.ts'
import type { AlonceRecord, RecordKey } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import type { Interval } from '../store/time.ts'

/** What the command line needs of a kind of store, besides the store: each kind brings its own. */
export interface Backend {
  readonly store: Store
  /** Where the records lie, for messages: `table "alonce", namespace "default"`. */
  readonly place: string
  /** The record without its result, which may be large, or damaged: who operates needs neither. By a linearizable read. */
  look(key: RecordKey): Promise<AlonceRecord | undefined>
  /** The store's clock, as the last of these requests has shown it. */
  now(): Interval
  /** Records, page by page, in no order. */
  list(query: ListQuery): AsyncIterable<ListPage>
  /** Looks for what would make locks and operations fail. It changes nothing. */
  examine(): Promise<readonly Finding[]>
}

export interface ListQuery {
  /** The beginning of their keys: `lock/`, `once/charge/`, or nothing. */
  readonly prefix: string
  /** Whether completed operations are wanted too. They are most of what is there. */
  readonly completed: boolean
  /** A position that an earlier listing gave. */
  readonly from: string | undefined
  /** Looks at no more items than this. */
  readonly scanLimit: number
}

export interface ListPage {
  readonly entries: readonly ListEntry[]
  /** Items looked at, whether shown or not: that is what a listing costs. */
  readonly scanned: number
  readonly readUnits: number
  /** Where to go on; `undefined`: this was the last one. */
  readonly next: string | undefined
}

export interface ListEntry {
  readonly key: RecordKey
  /** Or why it can't be read. */
  readonly record: AlonceRecord | ErrorCode
  /** To go on behind this one. */
  readonly position: string
}

export type Severity = 'ok' | 'note' | 'warning' | 'error'

export interface Finding {
  /** Stable, for programs: `table.ttl`. */
  readonly check: string
  readonly severity: Severity
  readonly found: string
  /** What to do about it. */
  readonly remedy?: string | undefined
}
