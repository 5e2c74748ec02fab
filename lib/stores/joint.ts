import type { AcquiredAll, Granted, LockAcquire, Reply } from '../store/command.ts'
import { configInvalid, invariant } from '../store/errors.ts'

export type Refusal = Extract<AcquiredAll, { readonly outcome: 'refused' }>['reply']

/** DynamoDB takes a hundred actions in a transaction; a limit that holds everywhere is one that nobody trips over later. */
const MOST_COMMANDS = 100

/** @throws AlonceError `CONFIG_INVALID` for what can't be taken together, before anything is sent. */
export function checkJoint(commands: readonly LockAcquire[]): void {
  if (commands.length < 1 || commands.length > MOST_COMMANDS)
    throw configInvalid('commands', `of acquireAll are from 1 to ${MOST_COMMANDS}, not ${commands.length}.`)
  if (new Set(commands.map(({ key }) => key)).size < commands.length)
    throw configInvalid('commands', 'of acquireAll must each have a key of their own.')
  if (commands.some(({ queueMs }) => queueMs !== undefined))
    throw configInvalid('commands', 'of acquireAll take no places in queues: who waits for several holds none.')
}

/** The transition's reply to an acquire that takes no place in the queue. */
export function answerOf(reply: Reply): Granted | Refusal {
  const { outcome } = reply
  invariant(
    outcome === 'acquired' || outcome === 'held' || outcome === 'stale',
    () => `an acquire was answered with "${outcome}"`,
  )
  return reply as Granted | Refusal
}
