/** What a store keeps under a key. Values are immutable: a transition makes a new record or returns the one it was given. */
export type AlonceRecord = LockRecord | OnceRecord

/** Rises strictly with each grant of a key. Pass it to the resource, and let the resource refuse a smaller one. */
export type Fence = number & { readonly __brand: 'Fence' }

/** `lock/<name>` or `once/<operation>/<hash>`: made by `lockKey` and `onceKey` only, so that no two inputs collide. */
export type RecordKey = string & { readonly __brand: 'RecordKey' }

/** The version of these shapes and of the transitions. A record that carries another one is refused (`STORE_SCHEMA`). */
export const SCHEMA = 1

interface Head {
  /** The fence of the last grant. */
  readonly fence: Fence
  /** Rises with every write, so that "write if the version is still the one that I read" is safe. */
  readonly version: number
  /** The last release: a command of its owner, or one first sent before it, is a ghost. */
  readonly tombstone?: Tombstone | undefined
  /** The last time that an operator stepped in. It outlives the tombstone, which the next release replaces. */
  readonly intervention?: Intervention | undefined
  /** Epoch milliseconds after which the store may delete the record; `undefined` means never. */
  readonly purgeAtMs?: number | undefined
}

export interface Tombstone {
  readonly owner: string
  /** The earliest time, by the store's clock, at which the release can have happened. */
  readonly atMs: number
  /** Why an operator broke or forgot it. */
  readonly reason?: string | undefined
}

/** What an operator did to the record, for those who ask later. */
export interface Intervention {
  /** Of the grant or attempt that was ended. */
  readonly fence: Fence
  readonly reason: string
  /** Who it was, by their own word. */
  readonly by?: string | undefined
  /** The latest time, by the store's clock, at which it can have happened. */
  readonly atMs: number
}

export interface LockRecord extends Head {
  readonly kind: 'lock'
  /** Who holds it alone. */
  readonly holder?: Holder | undefined
  /** Who holds it together. Nobody is in it while there is a live holder, and the other way round. */
  readonly pool?: Pool | undefined
  /** Who waits for it, in the order of arrival: a live waiter goes before whoever comes later. */
  readonly queue?: readonly Waiter[] | undefined
}

export interface Holder {
  readonly owner: string
  readonly expiresAtMs: number
  /** Who holds it, for people: a host name, a request id. Never a secret. */
  readonly label?: string | undefined
}

/** Those who share a lock, or have its permits. It stays when they are gone, so that the next can join it in one write. */
export interface Pool {
  /** The most that `weight` may be; `undefined`: a shared lock, for any number. It can change only while nobody is in the pool. */
  readonly limit?: number | undefined
  /** The sum of the members' weights. */
  readonly weight: number
  readonly members: { readonly [owner: string]: Member }
}

export interface Member {
  /** Of this member's own grant. */
  readonly fence: Fence
  readonly expiresAtMs: number
  /** The length of its lease, for those who can't read the store's clock. */
  readonly leaseMs: number
  readonly weight: number
  readonly label?: string | undefined
}

export interface Waiter {
  readonly owner: string
  /** Without a sign of life until then it counts as dead, and others may go before it. */
  readonly aliveUntilMs: number
  /** How long a sign of life counts, for those who can't read the store's clock. */
  readonly leaseMs: number
  readonly label?: string | undefined
}

export interface OnceRecord extends Head {
  readonly kind: 'once'
  /** `undefined`: nobody owns it now (given back, or forgotten). */
  readonly status?: 'in-progress' | 'completed' | undefined
  /** Of the running or of the completed attempt. */
  readonly owner?: string | undefined
  readonly label?: string | undefined
  /** Counts the beginnings of one payload. */
  readonly attempt: number
  /** End of the lease while in progress. */
  readonly expiresAtMs?: number | undefined
  readonly fingerprint?: string | undefined
  /** An attempt whose outcome is unknown is never run again by itself. */
  readonly hold?: boolean | undefined
  /** Whom the running attempt has taken over to find out what became of it. Kept, because the begin's answer may be lost. */
  readonly crashed?: Crashed | undefined
  readonly checkpoints: { readonly [name: string]: string }
  readonly result?: StoredResult | undefined
  /** Of the transaction that completed it. */
  readonly token?: string | undefined
  /** A completed record is replayed until then. */
  readonly retainUntilMs?: number | undefined
  /** Changes when an operator forgets the record; 0 before. Part of every downstream key. */
  readonly epoch: number
  /** How often each downstream key was retired. */
  readonly retired: { readonly [name: string]: number }
}

export interface Crashed {
  readonly fence: Fence
  readonly attempt: number
}

/**
 * The outcome of a completed operation.
 *
 * - `value`: what the function returned;
 * - `error`: a final error that is thrown again;
 * - `unstorable`: it ran, and its result could not be kept; `codec` is then the error code that says why.
 */
export interface StoredResult {
  readonly form: 'value' | 'error' | 'unstorable'
  readonly codec: string
  readonly body: Uint8Array | ResultPointer
  /** The trace that it comes from: a replay in another trace can be linked to it. W3C `traceparent`. */
  readonly traceparent?: string | undefined
}

/** Where a result lies that is too large for the head: `count` immutable parts, written before the completion. */
export interface ResultPointer {
  readonly owner: string
  readonly count: number
  readonly bytes: number
  readonly sha256: string
}
