import { onceTransition } from '../idempotency/transitions.ts'
import { lockTransition } from '../lock/transitions.ts'
import type { Command, LockCommand } from '../store/command.ts'
import { AlonceError } from '../store/errors.ts'
import type { AlonceRecord } from '../store/record.ts'
import type { Transitioned } from '../store/store.ts'
import type { Moment } from '../store/time.ts'

/** The transition of every command: what each store applies atomically, in its own way. */
export function transition(record: AlonceRecord | undefined, command: Command, moment: Moment): Transitioned {
  if (isLockCommand(command)) {
    if (record && record.kind !== 'lock') throw foreign(command, record)
    return lockTransition(record, command, moment)
  }
  if (record && record.kind !== 'once') throw foreign(command, record)
  return onceTransition(record, command, moment)
}

const isLockCommand = (command: Command): command is LockCommand => command.type.startsWith('lock.')

const foreign = (command: Command, record: AlonceRecord): AlonceError =>
  new AlonceError(
    'RECORD_UNREADABLE',
    `${command.type} met a record of the kind "${record.kind}" under the key ${command.key}. Another program writes into this store: give Alonce a namespace of its own.`,
    { key: command.key },
  )
