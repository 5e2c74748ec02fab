import { expect, test } from 'vitest'
import { isAlonceError } from '../../lib/store/errors.ts'
import type { AlonceRecord, Fence } from '../../lib/store/record.ts'
import { transition } from '../../lib/stores/transition.ts'
import { LOCK_KEY, ONCE_KEY } from '../conformance/script.ts'

const moment = { earliest: 1000, latest: 1000, sentAtMs: 1000, resent: false, seed: 0 }
const lock: AlonceRecord = { kind: 'lock', fence: 1 as Fence, version: 1 }
const once: AlonceRecord = { kind: 'once', fence: 1 as Fence, version: 1, attempt: 1, checkpoints: {}, epoch: 0, retired: {} }

test('a command on a record of the other kind is refused: another program writes here', () => {
  const refused = (run: () => unknown): unknown => {
    try {
      return run()
    } catch (error) {
      return isAlonceError(error) ? error.code : error
    }
  }
  expect(refused(() => transition(once, { type: 'lock.release', key: LOCK_KEY, owner: 'A' }, moment))).toBe('RECORD_UNREADABLE')
  expect(refused(() => transition(lock, { type: 'once.abandon', key: ONCE_KEY, owner: 'A' }, moment))).toBe('RECORD_UNREADABLE')
})

test('each command goes to the functions of its kind', () => {
  expect(transition(undefined, { type: 'lock.acquire', key: LOCK_KEY, owner: 'A', leaseMs: 1 }, moment).record?.kind).toBe('lock')
  const begin = { type: 'once.begin', key: ONCE_KEY, owner: 'A', leaseMs: 1, retainMs: 1 } as const
  expect(transition(undefined, begin, moment).record?.kind).toBe('once')
})
