import type { RecordKey } from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import type { TransactItem } from '../../store/transaction.ts'
import type { Wire } from '../wire.ts'

/** A fresh store, as the factory gives it to one case. */
export interface StoreUnderTest {
  /** The store as one more client sees it. A case calls it up to four times. */
  connect(): Connection
  /** Moves the store's time. Without it, name the reason in `skip.time`. */
  advance?(ms: number): Promise<void>
  /** Deletes a record, as a hand or a clean-up would. Without it, name the reason in `skip.removal`. */
  remove?(key: RecordKey): Promise<void>
  /** What the caller's transactions write, where the store has `transactions`. Without it, name the reason in `skip.counters`. */
  readonly counters?: Counters | undefined
  /** Waits for a promise that needs time to pass (a client's pause before it sends again). Default: just waits. */
  run?<T>(promise: Promise<T>): Promise<T>
  close?(): Promise<void>
}

/** Counters of the caller's, new for each case. */
export interface Counters {
  /** Adds one. */
  increment(name: string): TransactItem
  /** Refuses a transaction unless the counter has been counted up. */
  mustExist(name: string): TransactItem
  /** 0 when it has not been counted up. */
  read(name: string): Promise<number>
}

export interface Connection {
  readonly store: Store
  /** The network between this client and the store. Default: one is put around `store`. */
  readonly wire?: Wire | undefined
}

export interface ConformanceOptions {
  /** Of vitest, node:test, Jest, Mocha or the like. */
  readonly describe: (title: string, body: () => void) => unknown
  readonly it: DefineCase
  /** Why the store can't be asked some things. The cases appear as skipped, with the reason. */
  readonly skip?: { readonly [need in Need]?: string | undefined } | undefined
}

export interface DefineCase {
  (title: string, body: () => Promise<void>): unknown
  readonly skip?: ((title: string, body: () => Promise<void>) => unknown) | undefined
}

/** What a case may need beyond the contract of `Store`; `together`: its `acquireAll`. */
export type Need = 'time' | 'removal' | 'counters' | 'together'
