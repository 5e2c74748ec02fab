import { describe, expect, test } from 'vitest'
import { type AlonceEvent, acquireLock } from '../../lib/index.ts'
import { isOutOfDate } from '../../lib/lock/crowd.ts'
import {
  type BackOff,
  backOffFurther,
  type Draw,
  type Look,
  pauseOf,
  type Rhythm,
  startBackOff,
  turnPauseMs,
} from '../../lib/lock/waiting.ts'
import type { LambdaContext } from '../../lib/runtime/invocation.ts'
import { sleep } from '../../lib/runtime/runtime.ts'
import { lockKey } from '../../lib/store/key.ts'
import type { Fence } from '../../lib/store/record.ts'
import { exactly } from '../../lib/store/time.ts'
import { memoryStore } from '../../lib/stores/memory/memory-store.ts'
import { faultyStore } from '../../lib/testing/faulty-store.ts'
import { overriding } from '../scenarios/locks/distant.ts'
import { World } from '../support/world.ts'

const fence = (value: number): Fence => value as Fence
const holder = { owner: 'A', expiresAtMs: 100_000 }
const delayMs = (backOff: Rhythm, draw: Draw): number => pauseOf(backOff, holder, draw).ms

describe('the back-off', () => {
  const start = startBackOff({ fence: fence(1), atMs: 0 })
  const look = (seen: number, atMs: number, more: Partial<Look> = {}): Look => ({
    ...{ fence: fence(seen), atMs, answerMs: 4, inVain: false },
    ...more,
  })
  const following = (looks: readonly Look[]): BackOff => looks.reduce(backOffFurther, start)
  /** One look at each grant of a crowd, which come every `turnMs`. */
  const grants = (count: number, turnMs: number, from = start): BackOff =>
    Array.from({ length: count }, (_, n) => n + 1).reduce(
      (backOff, n) => backOffFurther(backOff, look(from.crowd.first.fence + n, n * turnMs)),
      from,
    )

  test('of a lone waiter grows to a quarter of a second', () => {
    expect(start.stepMs).toBe(20)
    expect(following([look(1, 10)]).stepMs).toBe(40)
    expect(following(Array(10).fill(look(1, 10))).stepMs).toBe(250)
  })

  test('of one who sees others win grows with their number, to some turns of theirs', () => {
    expect(grants(3, 500).capMs).toBe(250 + 3 * 70)
    expect(grants(10, 500).capMs).toBe(250 + 10 * 70)
    expect(grants(90, 500).capMs).toBe(2.5 * 500)
    expect(grants(90, 5000).capMs).toBe(2000)
  })

  test('is no shorter than many answers of the store take: or too many would write before the next holder has', () => {
    const quick = grants(90, 20)
    expect(quick.capMs).toBe(70 * 4)
    const slow = Array.from({ length: 90 }, (_, n) => look(n + 2, (n + 1) * 60, { answerMs: 20 }))
    expect(following(slow).capMs).toBe(70 * 20)
  })

  test('shrinks when grants come more slowly than they did: fewer are left to look', () => {
    const { crowd } = grants(80, 500)
    const later = (turnMs: number): number =>
      Array.from({ length: 8 }, (_, n) => n + 1).reduce(
        (backOff, n) => backOffFurther(backOff, look(81 + n, 80 * 500 + n * turnMs)),
        { ...start, crowd },
      ).capMs
    expect(later(500)).toBe(1250)
    expect(later(450)).toBeGreaterThan(1200)
    expect(later(550)).toBeGreaterThan(550)
    expect(later(550)).toBeLessThan(700)
    expect(later(1000)).toBe(250)
  })

  test('remembers a few sights, however long the wait', () => {
    expect(grants(5000, 500).crowd.recent.length).toBeLessThan(12)
  })

  test('grows faster after a write in vain', () => {
    expect(following([look(2, 500, { inVain: true })]).stepMs).toBe(80)
  })

  test('draws the delay from the upper half of the step', () => {
    expect(delayMs(start, { now: exactly(0), fraction: 0 })).toBe(10)
    expect(delayMs(start, { now: exactly(0), fraction: 0.999 })).toBeCloseTo(20, 1)
  })

  test('knows the end of the lease: a look soon after it, but not by all at once', () => {
    const backOff = { stepMs: 1000, capMs: 1000 }
    expect(delayMs(backOff, { now: exactly(99_900), fraction: 0 })).toBe(101)
    expect(delayMs(backOff, { now: exactly(99_900), fraction: 0.5 })).toBe(101 + 125)
  })

  test('before the first reply the end of the lease is unknown, and the usual delay holds', () => {
    const now = { earliest: Number.NEGATIVE_INFINITY, latest: Number.POSITIVE_INFINITY }
    expect(delayMs(start, { now, fraction: 0 })).toBe(10)
  })

  test('wakes once for the end of a lease: a clock that counts in seconds puts it off again and again', () => {
    const first = pauseOf({ ...start, stepMs: 1000, capMs: 1000 }, holder, { now: exactly(99_990), fraction: 0 })
    expect(first.ms).toBe(11)
    const next = backOffFurther(first.backOff, look(1, 10))
    expect(pauseOf(next, holder, { now: exactly(99_990), fraction: 0 }).ms).toBe(next.stepMs / 2)
    const renewed = { ...holder, expiresAtMs: 200_000 }
    expect(pauseOf(next, renewed, { now: exactly(199_990), fraction: 0 }).ms).toBe(11)
  })
})

test('an answer that took four times as long as the quickest, or a tenth of a second, is out of date', () => {
  const judged = [
    [19, 1],
    [21, 1],
    [99, 30],
    [81, 20],
    [79, 20],
    [101, 60],
    [60, 60],
    [101, 101],
  ].map(([answerMs = 0, quickestMs = 0]) => isOutOfDate(answerMs, quickestMs))
  expect(judged).toEqual([false, true, false, true, false, true, false, true])
})

describe('in the queue', () => {
  const most = (turn: Parameters<typeof turnPauseMs>[0]): number => turnPauseMs(turn, 1)

  test('the next one is late by at most 8 % of a turn, or of its wait', () => {
    expect(most({ ahead: 0, turnMs: undefined, hereMs: 0 })).toBe(20)
    expect(most({ ahead: 0, turnMs: 20, hereMs: 10 })).toBe(20)
    expect(most({ ahead: 0, turnMs: 500, hereMs: 0 })).toBe(40)
    expect(most({ ahead: 0, turnMs: 500, hereMs: 1000 })).toBe(80)
    expect(most({ ahead: 0, turnMs: undefined, hereMs: 60_000 })).toBe(250)
  })

  test('the others sleep for half of what those before them need, at most two seconds: a hand-over has to be claimed in five', () => {
    expect(most({ ahead: 1, turnMs: 500, hereMs: 0 })).toBe(250)
    expect(most({ ahead: 50, turnMs: 20, hereMs: 0 })).toBe(500)
    expect(most({ ahead: 50, turnMs: 500, hereMs: 0 })).toBe(2000)
    expect(most({ ahead: 2, turnMs: undefined, hereMs: 0 })).toBe(100)
    expect(turnPauseMs({ ahead: 2, turnMs: undefined, hereMs: 0 }, 0)).toBe(75)
  })
})

describe('waiting', () => {
  function setUp() {
    const world = new World()
    const memory = memoryStore({ runtime: world.client() })
    const client = world.client()
    const store = faultyStore(memory, { runtime: client })
    const events: AlonceEvent[] = []
    return { world, client, memory, store, events, onEvent: (event: AlonceEvent) => events.push(event) }
  }

  test('reads, and writes when the lock looks free; the events tell for how long', async () => {
    const { world, memory, store, events, onEvent } = setUp()
    const other = await acquireLock({ store: memory, key: 'k' })
    const waiting = acquireLock({ store, key: 'k', onEvent })
    await world.advance(1000)
    await other.release()
    const lock = await world.run(waiting)
    expect(lock.fence).toBe(2)
    expect(store.wire.sent.filter((type) => type !== 'read')).toEqual(['lock.acquire', 'lock.acquire'])
    expect(store.wire.sent.at(-2)).toBe('read')
    const requests = store.wire.sent.length
    expect(events).toEqual([
      expect.objectContaining({ event: 'waited', requests }),
      expect.objectContaining({ event: 'acquired', requests, fence: 2 }),
    ])
    expect(events[0]?.durationMs).toBeGreaterThanOrEqual(1000)
    expect(events[0]?.durationMs).toBeLessThanOrEqual(1250)
  })

  test('ends with the wait, after a last look', async () => {
    const { world, memory, store, events, onEvent } = setUp()
    await acquireLock({ store: memory, key: 'k', label: 'host-a' })
    const startedAt = world.now
    const refused = acquireLock({ store, key: 'k', waitMs: 777, onEvent })
    await expect(world.run(refused)).rejects.toMatchObject({ code: 'LOCK_HELD', holder: 'host-a' })
    expect(world.now - startedAt).toBe(777)
    expect(store.wire.sent.filter((type) => type === 'lock.acquire')).toHaveLength(1)
    expect(events.map((event) => event.event)).toEqual(['waited', 'held'])
  })

  describe('what a slow answer shows', () => {
    /** One who waits, whose last answer before the lock was free took 300 ms; it is about to look again. */
    async function slowlySeenFree(context?: LambdaContext) {
      const { world, memory, store, client } = setUp()
      const other = await acquireLock({ store: memory, key: 'k' })
      const line = { slow: false }
      const reading = overriding(store, {
        read: async (key, options) => {
          const record = await store.read(key, options)
          await sleep(store.runtime.timer, line.slow ? 300 : 4)
          return record
        },
      })
      const waiting = acquireLock({ store: reading, key: 'k', waitMs: 10_000, context })
      await world.advance(500)
      line.slow = true
      const reads = () => store.wire.sent.filter((type) => type === 'read').length
      const before = reads()
      await other.release()
      while (reads() === before) await world.advance(10)
      await world.advance(305)
      const writes = () => store.wire.sent.filter((type) => type === 'lock.acquire').length
      return { world, memory, client, line, waiting, writes }
    }

    test('of a free lock is looked at again: no write in vain for what is over by now', async () => {
      const { world, memory, line, waiting, writes } = await slowlySeenFree()
      const quicker = await acquireLock({ store: memory, key: 'k' })
      await world.advance(900)
      line.slow = false
      await world.advance(1000)
      expect(writes()).toBe(1)
      await quicker.release()
      expect((await world.run(waiting)).fence).toBe(3)
    })

    test('is not looked at again by one who thaws when the invocation is over', async () => {
      const until = { ms: 600_000 }
      const context = { getRemainingTimeInMillis: () => until.ms }
      const { world, client, waiting, writes } = await slowlySeenFree(context)
      client.freeze()
      until.ms = 0
      await world.advance(60_000)
      client.thaw()
      await expect(world.run(waiting)).rejects.toMatchObject({ code: 'LOCK_HELD' })
      expect(writes()).toBe(1)
    })
  })

  test('an outage while waiting is no news: the lock is not taken to be free, and the wait goes on', async () => {
    const { world, memory, store } = setUp()
    const other = await acquireLock({ store: memory, key: 'k' })
    const waiting = acquireLock({ store, key: 'k', waitMs: 10_000 })
    await world.advance(100)
    store.wire.cut()
    await world.advance(3000)
    store.wire.heal()
    await other.release()
    expect((await world.run(waiting)).fence).toBe(2)
  })

  test.each(['drop-request', 'drop-answer'] as const)('an outage when it looks free does not end the wait: %s', async (fault) => {
    const { world, memory, store, events, onEvent } = setUp()
    const other = await acquireLock({ store: memory, key: 'k' })
    const waiting = acquireLock({ store, key: 'k', waitMs: 10_000, onEvent })
    await world.advance(100)
    store.wire.inject(fault, 'lock.acquire', 3)
    await other.release()
    const lock = await world.run(waiting)
    // What was applied and not answered was taken back.
    expect(lock.fence).toBe(fault === 'drop-answer' ? 3 : 2)
    expect(await memory.read(lockKey('k'))).toMatchObject({ holder: { owner: lock.owner } })
    expect(events.map((event) => event.event)).toEqual(['waited', 'acquired'])
  })

  test('an outage when it looks free, to the end of the wait, is told as such', async () => {
    const { world, memory, store } = setUp()
    const other = await acquireLock({ store: memory, key: 'k' })
    const refused = expect(acquireLock({ store, key: 'k', waitMs: 2000 })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await world.advance(100)
    store.wire.inject('throttle', 'lock.acquire', 1000)
    await other.release()
    await world.advance(5000)
    await refused
  })

  test('an outage to the end of the wait is LOCK_HELD: that much is known', async () => {
    const { world, memory, store } = setUp()
    await acquireLock({ store: memory, key: 'k' })
    const waiting = acquireLock({ store, key: 'k', waitMs: 2000 })
    const refused = expect(waiting).rejects.toMatchObject({ code: 'LOCK_HELD', fence: 1 })
    await world.advance(100)
    store.wire.cut()
    await world.advance(5000)
    await refused
  })

  test('a ghost is asked anew under another owner, three times at most', async () => {
    const { memory } = setUp()
    const owners: string[] = []
    const stale = (times: number) =>
      Object.assign(Object.create(memory), {
        name: memory.name,
        capabilities: memory.capabilities,
        runtime: memory.runtime,
        now: () => memory.now(),
        execute: async (command: Parameters<typeof memory.execute>[0]) => {
          if (command.type === 'lock.acquire') owners.push(command.owner)
          return owners.length <= times ? { outcome: 'stale' } : memory.execute(command)
        },
      }) as typeof memory
    const lock = await acquireLock({ store: stale(2), key: lockKey('k') })
    expect(new Set(owners).size).toBe(3)
    expect(lock.owner).toBe(owners[2])
    owners.length = 0
    await expect(acquireLock({ store: stale(99), key: 'other' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(owners).toHaveLength(3)
  })

  test('who takes over from a dead holder is told so', async () => {
    const { world, memory, store, events, onEvent } = setUp()
    await memory.execute({ type: 'lock.acquire', key: lockKey('k'), owner: 'dead', leaseMs: 1000 })
    await world.advance(1001)
    await acquireLock({ store, key: 'k', onEvent })
    expect(events).toEqual([expect.objectContaining({ event: 'acquired', reason: 'took-over', fence: 2, requests: 1 })])
  })
})
