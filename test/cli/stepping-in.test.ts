import { describe, expect, test } from 'vitest'
import type { OnceView, RecordView } from '../../lib/cli/view.ts'
import { onceKey } from '../../lib/idempotency/key.ts'
import { acquireLock, withIdempotency } from '../../lib/index.ts'
import { lockKey } from '../../lib/store/key.ts'
import type { Fence } from '../../lib/store/record.ts'
import { dynamodbMissing } from '../support/dynamodb-table.ts'
import { completedFor, desk, FENCE, heldFor, lockRecord } from './command-line.ts'

const HOUR = 3_600_000

describe.skipIf(dynamodbMissing).concurrent('alonce break', { timeout: 60_000 }, () => {
  test('ends a lease, and leaves in the record who did it, when and why', async () => {
    const at = await desk()
    const lock = await acquireLock({ store: at.store, key: ['account', 7], onEvent: () => undefined })
    const { status, out } = await at.run('break', 'account/=7', '--reason', 'worker hung', '--by', 'ann', '--yes')
    expect({ status, out }).toEqual({ status: 0, out: `lock/account/=7 is broken (fence ${lock.fence}, by ann: worker hung)\n` })
    await expect(lock.renew()).rejects.toMatchObject({ code: 'LOCK_LOST' })
    const next = await acquireLock({ store: at.store, key: ['account', 7] })
    await next.release()
    const view = await at.json<RecordView>('get', 'lock/account/=7')
    expect(view).toMatchObject({ state: 'free', intervention: { by: 'ann', reason: 'worker hung', fence: lock.fence } })
    expect(Math.abs(Date.parse(view.intervention?.at ?? '') - Date.now())).toBeLessThan(60_000)
  })

  test('applies to the fence that it was decided on, and to no later one', async () => {
    const at = await desk()
    await at.plant('lock/job', heldFor(HOUR))
    const late = await at.run('break', 'job', '--reason', 'late', '--fence', String(FENCE - 1), '--yes')
    expect(late).toMatchObject({ status: 4, out: '', err: expect.stringContaining('is not the one that is there now') })
    expect(await at.store.read(lockKey('job'))).toMatchObject({ fence: FENCE, intervention: undefined })
  })

  test('of several who share it, asks which one is meant', async () => {
    const at = await desk()
    const member = (fence: number) => ({
      fence: fence as Fence,
      expiresAtMs: Date.now() + HOUR,
      leaseMs: 3000,
      weight: 1,
      label: `w${fence % 10}`,
    })
    const pool = { limit: 3, weight: 2, members: { a: member(FENCE - 1), b: member(FENCE) } }
    await at.plant('lock/permits', lockRecord({ pool }))
    const asked = await at.run('break', 'permits', '--reason', 'x', '--yes')
    expect(asked).toMatchObject({ status: 2, err: expect.stringContaining(`${FENCE - 1} (w0), ${FENCE} (w1)`) })
    expect((await at.run('break', 'permits', '--reason', 'x', '--yes', '--fence', String(FENCE - 1))).status).toBe(0)
    expect(await at.store.read(lockKey('permits'))).toMatchObject({ pool: { weight: 1, members: { b: { fence: FENCE } } } })
  })

  test.each([
    ['nobody confirms it', ['break', 'job', '--reason', 'x'], /add --yes/],
    ['no reason is given', ['break', 'job', '--yes'], /--reason/],
    ['the reason is empty', ['break', 'job', '--yes', '--reason', ' '], /1 to 200 characters/],
    ['the reason is a story', ['break', 'job', '--yes', '--reason', 'x'.repeat(201)], /1 to 200 characters/],
  ])('changes nothing when %s', async (_why, args, message) => {
    const at = await desk()
    await at.plant('lock/job', heldFor(HOUR))
    const { status, err } = await at.run(...args)
    expect({ status, err }).toEqual({ status: 2, err: expect.stringMatching(message) })
    expect(await at.store.read(lockKey('job'))).toMatchObject({ fence: FENCE, holder: expect.anything() })
  })

  test('says when there is nothing to break', async () => {
    const at = await desk()
    await at.plant('lock/idle', lockRecord())
    expect(await at.run('break', 'idle', '--reason', 'x', '--yes')).toMatchObject({
      status: 4,
      err: 'alonce: Nobody holds it.\n',
    })
    expect((await at.run('break', 'absent', '--reason', 'x', '--yes')).status).toBe(4)
  })
})

describe.skipIf(dynamodbMissing).concurrent('alonce forget', { timeout: 60_000 }, () => {
  test('clears an operation by its key, so that the next call runs it again', async () => {
    const at = await desk()
    let runs = 0
    const charge = () => withIdempotency({ store: at.store, operation: 'charge', key: 'pay-1' }, async () => ++runs)
    expect([await charge(), await charge()]).toEqual([1, 1])
    const done = await at.json<object>('forget', 'charge', 'pay-1', '--reason', 'refunded', '--by', 'ann', '--yes')
    expect(done).toMatchObject({ outcome: 'forgotten', key: onceKey('charge', { key: 'pay-1' }), by: 'ann', reason: 'refunded' })
    expect(await charge()).toBe(2)
    const view = await at.json<RecordView>('get', 'charge', 'pay-1')
    expect(view).toMatchObject({ state: 'completed', intervention: { by: 'ann', reason: 'refunded' } })
  })

  test('I26 clears a record whose result is damaged, which no call could replay', async () => {
    const at = await desk()
    const body = { owner: 'A', count: 2, bytes: 500_000, sha256: 'x' }
    const damaged = { ...completedFor(HOUR), result: { form: 'value', codec: 'json', body } as const }
    await at.plant(onceKey('report', { key: 'r-1' }), damaged)
    const call = () => withIdempotency({ store: at.store, operation: 'report', key: 'r-1' }, async () => 'made again')
    await expect(call()).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
    expect((await at.json<OnceView>('get', 'report', 'r-1')).result).toEqual({ form: 'value', codec: 'json', bytes: 500_000 })
    expect((await at.run('forget', 'report', 'r-1', '--reason', 'damaged', '--yes')).status).toBe(0)
    expect(await call()).toBe('made again')
  })

  test('takes the hashed key that ls shows, and is for operations only', async () => {
    const at = await desk()
    const key = onceKey('charge', { key: 7 })
    await at.plant(key, completedFor(HOUR))
    expect((await at.run('forget', key, '--reason', 'x', '--yes')).status).toBe(0)
    expect((await at.run('forget', key, '--reason', 'x', '--yes')).err).toContain('nothing to forget')
    expect(await at.run('forget', 'lock/job', '--reason', 'x', '--yes')).toMatchObject({
      status: 2,
      err: expect.stringContaining('alonce break'),
    })
  })
})
