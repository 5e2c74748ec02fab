import { describe, expect, test } from 'vitest'
import { acquireLock } from '../../lib/index.ts'
import { lockKey } from '../../lib/store/key.ts'
import type { LockRecord } from '../../lib/store/record.ts'
import { dynamodbMissing } from '../support/dynamodb-table.ts'
import { type Desk, desk, FENCE, heldFor, until } from './command-line.ts'

/**
 * Real processes, real signals, real time. What a command starts has its standard output, so a process here counts as ended
 * only when all of that is gone too.
 */
const HOUR = 3_600_000
/** In the middle of a minute, so that a few seconds more or less say the same. */
const MINUTES_59 = 59.5 * 60_000
const JOB = lockKey('job')

const stateOf = async (at: Desk): Promise<LockRecord | undefined> => (await at.store.read(JOB)) as LockRecord | undefined
/** Ends by no signal but SIGKILL, and neither does what it starts. */
const STUBBORN = 'trap "" TERM INT HUP; sleep 0.2; echo up; sleep 60 & wait; sleep 60'

describe.skipIf(dynamodbMissing).concurrent('alonce run', { timeout: 60_000 }, () => {
  test('runs a command under the lock, tells it the fence, and ends with its status', async () => {
    const at = await desk()
    const { status, out } = await at.run('run', 'job', '--', 'sh', '-c', 'echo $ALONCE_LOCK $ALONCE_FENCE; exit 7')
    const record = await stateOf(at)
    expect({ status, out }).toEqual({ status: 7, out: `job ${record?.fence}\n` })
    expect(record?.holder).toBeUndefined()
    expect(record?.tombstone).toMatchObject({ reason: undefined })
  })

  test.each([
    ['a signal ended the command: 128 and its number', ['sh', '-c', 'kill -KILL $$'], 137],
    ['there is no such command: 127', ['no-such-command'], 127],
    ['it can’t be run: 126', [import.meta.filename], 126],
  ])('%s', async (_what, command, expected) => {
    const at = await desk()
    const { status } = await at.run('run', 'job', '--', ...command)
    expect(status).toBe(expected)
    expect((await stateOf(at))?.holder).toBeUndefined()
  })

  test('does not run while another holds the lock: ends with 3, or with 0 where that is no failure', async () => {
    const at = await desk()
    await at.plant('lock/job', heldFor(MINUTES_59, 'batch-3'))
    const [held, skipped] = await Promise.all([
      at.run('run', 'job', '--', 'echo', 'ran'),
      at.run('run', 'job', '--on-held', 'skip', '--', 'echo', 'ran'),
    ])
    expect(held).toMatchObject({ status: 3, out: '' })
    expect(held.err).toContain(`alonce: The lock job is held by "batch-3" (fence ${FENCE}), whose lease ends in 59 min`)
    expect(skipped).toMatchObject({ status: 0, out: '', err: held.err })
  })

  test('waits for the holder, if it is told to', async () => {
    const at = await desk()
    const lock = await acquireLock({ store: at.store, key: 'job' })
    const waiting = at.start('run', 'job', '--wait', '1m', '--fair', '--', 'echo', 'ran')
    await until(async () => (await stateOf(at))?.queue?.length === 1)
    expect(waiting.out).toBe('')
    await lock.release()
    expect(await waiting.ended()).toMatchObject({ status: 0, out: 'ran\n' })
  })

  test('L21 SIGTERM while it waits: it leaves the queue and ends at once', async () => {
    const at = await desk()
    await at.plant('lock/job', heldFor(HOUR))
    const waiting = at.start('run', 'job', '--wait', '1h', '--fair', '--', 'echo', 'ran')
    await until(async () => (await stateOf(at))?.queue?.length === 1)
    waiting.signal('SIGTERM')
    expect(await waiting.ended()).toMatchObject({ status: 143, out: '' })
    expect((await stateOf(at))?.queue).toEqual([])
  })

  test('L21 SIGTERM to itself: the command is stopped, then the lock released', async () => {
    const at = await desk()
    const running = at.start('run', 'job', '--', 'sh', '-c', 'echo up; sleep 60')
    await running.says(/up/)
    running.signal('SIGTERM')
    expect(await running.ended()).toMatchObject({ status: 143 })
    expect(await stateOf(at)).toMatchObject({ holder: undefined, tombstone: { reason: undefined } })
  })

  test('a command that answers SIGTERM in its own way has the last word on the status', async () => {
    const at = await desk()
    const command = 'trap "echo tidied up; exit 0" TERM; echo up; while :; do sleep 0.05; done'
    const running = at.start('run', 'job', '--', 'sh', '-c', command)
    await running.says(/up/)
    running.signal('SIGTERM')
    expect(await running.ended()).toMatchObject({ status: 0, out: 'up\ntidied up\n' })
  })

  test('a command that does not stop is killed after the grace, with all that it started, and at once when asked twice', async () => {
    const at = await desk()
    const running = at.start('run', 'job', '--grace', '300ms', '--', 'sh', '-c', STUBBORN)
    await running.says(/up/)
    running.signal('SIGTERM')
    expect(await running.ended()).toMatchObject({ status: 137 })
    const again = at.start('run', 'job', '--grace', '1h', '--', 'sh', '-c', STUBBORN)
    await again.says(/up/)
    again.signal('SIGINT')
    again.signal('SIGTERM')
    expect(await again.ended()).toMatchObject({ status: 137 })
    expect((await stateOf(at))?.holder).toBeUndefined()
  })

  test('L1 a lock that is broken by another process stops the command: 5', async () => {
    const at = await desk()
    const running = at.start('run', 'job', '--lease', '3s', '--grace', '300ms', '--', 'sh', '-c', STUBBORN)
    await running.says(/up/)
    expect((await at.run('break', 'job', '--reason', 'test', '--yes')).status).toBe(0)
    const { status, err } = await running.ended()
    expect({ status, err }).toEqual({ status: 5, err: expect.stringContaining('The command is being stopped.') })
  })

  test('L17 a command that takes longer than the lease keeps the lock', async () => {
    const at = await desk()
    const running = at.start('run', 'job', '--lease', '6s', '--', 'sh', '-c', 'echo up; sleep 7')
    await running.says(/up/)
    const first = (await stateOf(at))?.holder?.expiresAtMs ?? 0
    await until(async () => ((await stateOf(at))?.holder?.expiresAtMs ?? 0) > first + 1500)
    expect((await running.ended()).status).toBe(0)
    expect((await stateOf(at))?.holder).toBeUndefined()
  })

  test('L12 killed, it leaves nothing behind: the command is stopped, and the lock lapses with its lease', async () => {
    const at = await desk()
    const killed = at.start('run', 'job', '--lease', '4s', '--grace', '1s', '--', 'sh', '-c', STUBBORN)
    await killed.says(/up/)
    const before = await stateOf(at)
    killed.signal('SIGKILL')
    await killed.ended()
    expect((await stateOf(at))?.holder?.owner).toBe(before?.holder?.owner)
    const { status, out } = await at.run('run', 'job', '--wait', '30s', '--', 'sh', '-c', 'echo $ALONCE_FENCE')
    expect(status).toBe(0)
    expect(Number(out)).toBeGreaterThan(before?.fence ?? Number.POSITIVE_INFINITY)
  })

  test('L1 frozen past its lease, it stops the command as soon as it thaws: 5', async () => {
    const at = await desk()
    const frozen = at.start('run', 'job', '--lease', '3s', '--grace', '300ms', '--', 'sh', '-c', STUBBORN)
    await frozen.says(/up/)
    frozen.signal('SIGSTOP')
    expect((await at.run('run', 'job', '--wait', '30s', '--', 'echo', 'taken over')).out).toBe('taken over\n')
    frozen.signal('SIGCONT')
    expect(await frozen.ended()).toMatchObject({ status: 5, err: expect.stringContaining('The command is being stopped.') })
  })
})
