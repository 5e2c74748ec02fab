import { describe, expect, test } from 'vitest'
import { type Candidate, campaign, observeLeader } from '../../../lib/index.ts'
import { lockKey } from '../../../lib/store/key.ts'
import { backends } from '../../support/backends.ts'
import { errorOf, LEASE_MS, type Process, SURELY_OVER_MS, setUp } from './setting.ts'

interface Standing {
  readonly stop: () => void
  readonly done: Promise<void>
  readonly log: string[]
}

function stand(one: Process, label: string, more: Partial<Candidate> = {}): Standing {
  const stopping = new AbortController()
  const log: string[] = []
  const options = { store: one.store, key: 'office', leaseMs: LEASE_MS, label, signal: stopping.signal, onEvent: one.onEvent }
  const done = campaign(options, {
    onLeading: (_lock, signal) => {
      log.push('leads')
      signal.addEventListener('abort', () => log.push('stops'))
    },
    onLost: ({ reason }) => log.push(reason),
    ...more,
  })
  return { stop: () => stopping.abort(), done, log }
}

describe.each(backends)('leaders, on $name', (backend) => {
  test('one of many leads, for as long as it renews; observers see who', async () => {
    const { world, process } = await setUp(backend)
    const onlooker = process()
    expect(await observeLeader(onlooker.store, 'office')).toBeUndefined()
    const all = ['a', 'b', 'c'].map((label) => stand(process(), label))
    await world.advance(4 * LEASE_MS)
    expect(all.map(({ log }) => log).filter((log) => log.length > 0)).toEqual([['leads']])
    const leader = await observeLeader(onlooker.store, 'office')
    expect(leader?.label).toBe(['a', 'b', 'c'][all.findIndex(({ log }) => log.length > 0)])
    for (const { stop } of all) stop()
    await world.run(Promise.all(all.map(({ done }) => done)))
  })

  test('who waits does so by reading', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    const [first, second] = [stand(a, 'a'), await world.advance(100).then(() => stand(b, 'b'))]
    await world.advance(2 * LEASE_MS)
    expect(b.wire.sent.filter((type) => type !== 'read')).toEqual(['lock.acquire'])
    expect(b.wire.sent.length).toBeLessThan(50)
    for (const { stop } of [first, second]) stop()
    await world.run(Promise.all([first.done, second.done]))
  })

  test('a leader that stops has done its work before the next one leads, with a larger fence', async () => {
    const { world, process } = await setUp(backend)
    const [a, b, onlooker] = [process(), process(), process()]
    const gate = Promise.withResolvers<void>()
    const first = stand(a, 'a', { onLeading: () => gate.promise })
    await world.advance(100)
    const second = stand(b, 'b')
    await world.advance(1000)
    const before = await observeLeader(onlooker.store, 'office')
    first.stop()
    await world.advance(20_000)
    expect((await observeLeader(onlooker.store, 'office'))?.label).toBe('a') // still at work
    gate.resolve()
    await world.run(first.done)
    await world.advance(5000)
    const after = await observeLeader(onlooker.store, 'office')
    expect([before?.label, after?.label]).toEqual(['a', 'b'])
    expect(after?.fence).toBeGreaterThan(before?.fence ?? 0)
    second.stop()
    await world.run(second.done)
  })

  test('L12 when the leader dies, another leads soon after the end of its lease', async () => {
    const { world, process } = await setUp(backend)
    const [a, b] = [process(), process()]
    stand(a, 'a')
    await world.advance(100)
    const second = stand(b, 'b')
    await world.advance(1000)
    a.client.kill()
    await world.advance(SURELY_OVER_MS)
    expect(second.log).toEqual(['leads'])
    second.stop()
    await world.run(second.done)
  })

  test('who loses the office is told, stops, and stands again', async () => {
    const { world, shared, process } = await setUp(backend)
    const a = process()
    const only = stand(a, 'a')
    await world.advance(100)
    await shared.remove(lockKey('office'))
    await world.advance(LEASE_MS)
    expect(only.log).toEqual(['leads', 'stops', 'lost', 'leads'])
    only.stop()
    await world.run(only.done)
  })

  test('L20 a leader that can not renew stops before another can lead, and goes on afterwards', async () => {
    const { world, process } = await setUp(backend)
    const a = process()
    const only = stand(a, 'a')
    await world.advance(100)
    a.wire.cut('throttle')
    await world.advance(SURELY_OVER_MS)
    expect(only.log).toEqual(['leads', 'stops', 'expired'])
    a.wire.heal()
    await world.advance(LEASE_MS + 30_000)
    expect(only.log.at(-1)).toBe('leads')
    only.stop()
    await world.run(only.done)
  })

  test('L22 what the leader throws comes out, and the office is free', async () => {
    const { world, process } = await setUp(backend)
    const [a, onlooker] = [process(), process()]
    const only = stand(a, 'a', { onLeading: () => Promise.reject(new RangeError('boom')) })
    expect(await world.run(errorOf(only.done))).toEqual(new RangeError('boom'))
    expect(await observeLeader(onlooker.store, 'office')).toBeUndefined()
  })

  test('a campaign that is over before it begins asks for nothing, and wrong options are named', async () => {
    const { process } = await setUp(backend)
    const { store, wire } = process()
    const nobody = { onLeading: () => expect.unreachable() }
    await campaign({ store, key: 'office', signal: AbortSignal.abort() }, nobody)
    expect(wire.sent).toEqual([])
    expect(await errorOf(campaign({ store, key: 'office', waitMs: 5 } as never, nobody))).toMatchObject({ option: 'waitMs' })
    expect(await errorOf(campaign({ store } as never, nobody))).toMatchObject({ option: 'key' })
  })
})
