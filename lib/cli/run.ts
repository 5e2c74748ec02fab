import { acquireLock } from '../lock/acquire.ts'
import { LockEndedError } from '../lock/ended.ts'
import type { Lock } from '../lock/handle.ts'
import { type AlonceError, isAlonceError } from '../store/errors.ts'
import type { Store } from '../store/store.ts'
import { lockParts } from './address.ts'
import { Child } from './child.ts'
import { span } from './duration.ts'
import type { Session } from './session.ts'
import { STATUS, UsageError } from './status.ts'
import { stoppable } from './stoppable.ts'
import { STOP_SIGNALS, type StopSignal } from './surroundings.ts'

export interface RunOptions {
  readonly wait: number
  readonly lease: number
  readonly grace: number
  readonly onHeld: 'fail' | 'skip'
  readonly fair?: boolean | undefined
  readonly label?: string | undefined
}

export interface Job {
  readonly lock: string
  readonly command: string
  readonly args: readonly string[]
  readonly options: RunOptions
}

/** As shells number them. */
const NUMBER: { readonly [signal in StopSignal]: number } = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }

export async function run(session: Session, job: Job): Promise<number> {
  const { store } = await session.open()
  const lock = await take(session, store, job)
  if (typeof lock === 'number') return lock
  return runUnder(session, lock, { job, store })
}

/** The lock, or what to end with. A signal calls the wait off. */
async function take(session: Session, store: Store, { lock: lockName, options }: Job): Promise<Lock | number> {
  const key = lockParts(lockName.replace(/^lock\//, ''))
  if (!key) throw new UsageError(`"${lockName}" has a structured part, which can't be taken by its name.`)
  const { wait: waitMs, lease: leaseMs, fair, label = session.surroundings.label } = options
  let stopped: StopSignal | undefined
  const stop = new AbortController()
  const done = session.surroundings.onSignals(STOP_SIGNALS, (signal) => {
    stopped = signal
    stop.abort(new Error(signal))
  })
  try {
    // Its events are told by this command in its own words.
    const lock = await acquireLock({
      store: stoppable(store, stop.signal),
      key,
      waitMs,
      leaseMs,
      fair,
      label,
      onEvent: () => undefined,
    })
    if (stopped === undefined) return lock
    await lock.release()
    return STATUS.signalled + NUMBER[stopped]
  } catch (error) {
    if (stopped !== undefined) return STATUS.signalled + NUMBER[stopped]
    if (!isAlonceError(error, 'LOCK_HELD')) throw error
    session.note(heldText(error, lockName))
    return options.onHeld === 'skip' ? STATUS.done : STATUS.held
  } finally {
    done()
  }
}

function heldText({ holder, fence, retryAfterMs }: AlonceError, name: string): string {
  const who = holder === undefined ? 'another' : `"${holder}"`
  const until = retryAfterMs === undefined ? '' : `, whose lease ends in ${span(retryAfterMs)} unless it is renewed`
  return `The lock ${name} is held by ${who} (fence ${fence})${until}. To wait for it, add --wait.`
}

interface Work {
  readonly job: Job
  readonly store: Store
}

async function runUnder(session: Session, lock: Lock, { job, store }: Work): Promise<number> {
  const { command, args, options } = job
  const env = { ...session.surroundings.env, ALONCE_LOCK: lock.name, ALONCE_FENCE: String(lock.fence) }
  // From before the command runs until the lock is released: a signal must end neither without the other.
  const done = session.surroundings.onSignals(STOP_SIGNALS, (signal) => child.stop(signal))
  const child = new Child({ command, args, env, graceMs: options.grace, runtime: store.runtime })
  const onLoss = (): void => {
    session.note(`${lock.signal.reason.message} The command is being stopped.`)
    child.stop('SIGTERM')
  }
  if (lock.signal.aborted) onLoss()
  else lock.signal.addEventListener('abort', onLoss, { once: true })
  const status = await child.ended()
  lock.signal.removeEventListener('abort', onLoss)
  if (status === STATUS.notFound || status === STATUS.notExecutable) {
    session.note(`The command ${command} ended with ${status}: is it there, and may it be run?`)
  }
  const lost = wasLost(lock)
  await giveBack(session, lock)
  done()
  return lost ? STATUS.lost : status
}

async function giveBack(session: Session, lock: Lock): Promise<void> {
  try {
    await lock.release()
  } catch (error) {
    session.note(`The lock was not released, and is free when its lease ends. ${(error as Error).message}`)
  }
}

/** By the clocks, too: a process that was frozen finds out here. */
function wasLost(lock: Lock): boolean {
  try {
    lock.assertHeld()
    return false
  } catch (error) {
    if (error instanceof LockEndedError) return true
    throw error
  }
}
