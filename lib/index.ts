export type { AlonceEvent, EventName, OnEvent } from './events/events.ts'
export { type Codec, jsonCodec } from './idempotency/codec.ts'
export { type OperationEnd, OperationEndedError } from './idempotency/ended.ts'
export type { OperationSignal } from './idempotency/lease.ts'
export { currentOperation, type Operation } from './idempotency/operation.ts'
export type { FailurePolicy, IdempotencyOptions } from './idempotency/options.ts'
export type { Earlier, Predecessor } from './idempotency/predecessor.ts'
export type { CrashedAttempt, Decision, Reconcile } from './idempotency/reconcile.ts'
export { type WithIdempotencyOptions, withIdempotency } from './idempotency/with-idempotency.ts'
export { acquireLock, tryAcquireLock } from './lock/acquire.ts'
export { type CampaignOptions, type Candidate, campaign, type Leader, observeLeader } from './lock/campaign.ts'
export { currentLock } from './lock/current.ts'
export { type LockEnd, LockEndedError } from './lock/ended.ts'
export type { Fenced, FencedOptions, FencedWrite } from './lock/fenced.ts'
export type { Lock, LockSignal } from './lock/handle.ts'
export type { AcquireOptions, LockOptions, TryAcquireOptions, WithLockOptions } from './lock/options.ts'
export { type ReleasedAll, releaseAll } from './lock/release-all.ts'
export { withLock } from './lock/with-lock.ts'
export { makeIdempotent } from './middleware/make-idempotent.ts'
export { makeLocked } from './middleware/make-locked.ts'
export type { Clock } from './runtime/clock.ts'
export type { LambdaContext } from './runtime/invocation.ts'
export type { Random } from './runtime/random.ts'
export { type Runtime, systemRuntime } from './runtime/runtime.ts'
export type { Timer } from './runtime/timer.ts'
export type { Command, CommandType, Reply, ReplyTo } from './store/command.ts'
export { AlonceError, type ErrorCode, InvariantError, isAlonceError } from './store/errors.ts'
export type { KeyPart } from './store/key.ts'
export type { AlonceRecord, Fence, LockRecord, OnceRecord, RecordKey, StoredResult } from './store/record.ts'
export type { Capabilities, SendOptions, Store } from './store/store.ts'
export type { Interval } from './store/time.ts'
export {
  type GuardItem,
  type TokenCompletion,
  type Transacted,
  type TransactItem,
  TransactionRefusedError,
  type Transactions,
} from './store/transaction.ts'
