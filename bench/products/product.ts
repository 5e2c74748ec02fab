/** Where a product finds its table. Everything below the product's own code is the same for all. */
export interface Setting {
  readonly endpoint: string
  readonly tableName: string
  /** Answers requests in the place of a network, to the AWS SDK version 3. */
  readonly requestHandler?: object | undefined
}

/** A library under measurement. The same file for each, so that what differs is what the libraries differ in. */
export interface Product {
  readonly name: string
  readonly packageName: string
  /** Its table's key attributes, all strings. */
  readonly keys: readonly [partition: string, sort?: string]
  connect(setting: Setting): Promise<Session>
}

export interface Session {
  readonly once?: OnceSession
  readonly lock?: LockSession
}

/** What an event is here: the key, and something else. */
export interface BenchEvent {
  id?: string | undefined
  user?: string | undefined
  order?: string | undefined
  readonly payload?: unknown
}
export interface BenchContext {
  getRemainingTimeInMillis(): number
  readonly awsRequestId: string
}
export type Effect = (event: BenchEvent) => Promise<unknown>
export type Handler = (event: BenchEvent, context: BenchContext) => Promise<unknown>

export interface OnceOptions {
  /** Of which members of the event the key is made. Default: `id`. */
  readonly keyOf?: 'id' | 'user-and-order'
  readonly operation?: string
  /** An attempt without an outcome is not run again by itself, where the product can do that. */
  readonly hold?: boolean
}

export interface OnceSession {
  wrap(effect: Effect, options?: OnceOptions): Handler
  /** In a middy chain whose outermost middleware throws after everything else is done. */
  wrapInFailingChain(effect: Effect): Handler
}

export interface LockWish {
  readonly leaseMs: number
  /** 0: one try, as far as the product can do with one. */
  readonly waitMs: number
  /** In the order of arrival, where the product has a queue. Default: `false`. */
  readonly fair?: boolean
}

export interface LockSession {
  /** `undefined` when somebody else holds it. */
  acquire(name: string, wish: LockWish): Promise<HeldLock | undefined>
}

export interface HeldLock {
  readonly fence: number | undefined
  /** What the product tells its holder, without a request; `undefined` when it tells nothing. */
  believesHeld(): boolean | undefined
  /** `undefined`: the product renews by a timer only. */
  readonly renew: (() => Promise<void>) | undefined
  release(): Promise<void>
}
