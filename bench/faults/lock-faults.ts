import { setTimeout as delay } from 'node:timers/promises'
import { acquired, type Cell, cell, words } from './cell.ts'
import type { Fault } from './once-faults.ts'
import type { Result } from './protocol.ts'
import { type Actor, type Stage, until } from './stage.ts'

const LEASE_MS = 3000
const LONG_LEASE_MS = 6000
const TAKEOVER_WITHIN_MS = 20_000

const acquire = (actor: Actor, leaseMs = LEASE_MS): Promise<Result> => actor.ask({ do: 'acquire', name: 'account-7', leaseMs })
const release = (actor: Actor): Promise<Result> => actor.ask({ do: 'release' })
const believes = (actor: Actor): Promise<Result> => actor.ask({ do: 'believes' })
const persist = (actor: Actor): Promise<Result> => until(() => acquire(actor), acquired, TAKEOVER_WITHIN_MS)

/** Whether somebody who asks once gets it, and after how long. */
async function timed(
  act: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly seconds: string; readonly ms: number }> {
  const before = performance.now()
  const result = await act()
  const ms = performance.now() - before
  return { result, ms, seconds: `${(ms / 1000).toFixed(1)} s` }
}

const belief = (result: Result): boolean => result.outcome === 'believes' && result.held !== false

async function fencesAfterDeletion(stage: Stage, pauseMs: number): Promise<Cell> {
  const a = await stage.actor()
  const fences: (number | undefined)[] = []
  for (let grant = 0; grant < 4; grant++) {
    if (grant === 3) {
      await delay(pauseMs)
      await stage.deleteItems()
    }
    const result = await acquire(a)
    if (result.outcome === 'acquired') fences.push(result.fence)
    await release(a)
  }
  const [first] = fences
  if (first === undefined) return cell(false, 'it has no fences', fences.length)
  const rise = fences.every((fence, at) => at === 0 || (fence ?? 0) > (fences[at - 1] ?? 0))
  // Some count from 1, some from the time: what tells is how they go on.
  const shown = fences.map((fence) => `first${signed((fence ?? 0) - first)}`)
  return cell(rise, shown.join(', '), fences.length)
}

const signed = (difference: number): string => (difference === 0 ? '' : difference > 0 ? ` + ${difference}` : ` − ${-difference}`)

/** Entries into what the lock protects are what a lock's effects are here. */
export const LOCK_FAULTS: readonly Fault[] = [
  {
    name: 'holder frozen past its lease; thaws when another holds',
    expected: 'it is told before it goes on; its release leaves the other’s lock alone',
    slow: true,
    play: async (stage) => {
      const [a, b, c] = [await stage.actor(), await stage.actor(), await stage.actor()]
      await acquire(a)
      a.freeze()
      const taken = await persist(b)
      a.thaw()
      const told = await believes(a)
      const late = await release(a)
      const third = await acquire(c)
      const entries = 1 + Number(acquired(taken)) + Number(belief(told)) + Number(acquired(third))
      const right = acquired(taken) && !belief(told) && !acquired(third)
      return cell(
        right,
        `the other: ${words(taken)}; it ${words(told)}; its release: ${words(late)}; a third: ${words(third)}`,
        entries,
      )
    },
  },
  {
    name: 'a contender’s clock 6 s ahead of a live 3 s lease',
    expected: 'refused; 1 entry',
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor(6000)]
      await acquire(a)
      const second = await acquire(b)
      return cell(!acquired(second), `the contender: ${words(second)}`, 1 + Number(acquired(second)))
    },
  },
  {
    name: 'the holder’s clock an hour behind',
    expected: 'the contender is refused; 1 entry',
    play: async (stage) => {
      const [a, b] = [await stage.actor(-3_600_000), await stage.actor()]
      await acquire(a)
      const second = await acquire(b)
      return cell(!acquired(second), `the contender: ${words(second)}`, 1 + Number(acquired(second)))
    },
  },
  {
    name: 'answer of the acquisition lost',
    expected: 'held, at once; 1 entry',
    play: async (stage) => {
      const a = await stage.actor()
      a.proxy.dropNextAnswer()
      const { result, seconds, ms } = await timed(() => acquire(a))
      return cell(acquired(result) && ms < LEASE_MS / 2, `${words(result)} after ${seconds}`, Number(acquired(result)))
    },
  },
  {
    name: 'answer of a renewal lost',
    expected: 'still held, past two leases; 1 entry',
    slow: true,
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      await acquire(a)
      a.proxy.dropNextAnswer()
      const renewed = await a.ask({ do: 'renew' })
      // Some renew by a timer, some only when asked to: everybody is asked.
      for (let third = 0; third < 6; third++) {
        await delay(LEASE_MS / 3)
        await a.ask({ do: 'renew' })
      }
      const told = await believes(a)
      const second = await acquire(b)
      const right = belief(told) && !acquired(second)
      return cell(
        right,
        `the renewal: ${words(renewed)}; two leases later the holder: ${words(told)}, another: ${words(second)}`,
        1 + Number(acquired(second)),
      )
    },
  },
  {
    name: 'answer of the release lost',
    expected: 'no error; free at once',
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      await acquire(a)
      a.proxy.dropNextAnswer()
      const released = await release(a)
      const { result, seconds, ms } = await timed(() => acquire(b))
      const right = released.outcome === 'released' && acquired(result) && ms < LEASE_MS / 2
      return cell(
        right,
        `the release: ${words(released)}; the next: ${words(result)} after ${seconds}`,
        1 + Number(acquired(result)),
      )
    },
  },
  {
    name: 'a renewal on its way is overtaken by the release',
    expected: 'ends free, nobody crashes',
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      await acquire(a)
      const renewal = a.proxy.keepNextWrite()
      void a.ask({ do: 'renew' })
      await renewal.arrived
      const released = await release(a)
      renewal.letGo()
      await delay(300)
      const { result, seconds, ms } = await timed(() => acquire(b))
      const right = !a.crashed && released.outcome === 'released' && acquired(result) && ms < LEASE_MS / 2
      return cell(
        right,
        `the release: ${words(released)}; the next: ${words(result)} after ${seconds}${a.crashed ? '; the first’s process crashed' : ''}`,
        1 + Number(acquired(result)),
      )
    },
  },
  {
    name: 'the item is deleted 5 s after a release (clean-up): fences',
    expected: 'they rise',
    slow: true,
    play: (stage) => fencesAfterDeletion(stage, 5000),
  },
  {
    name: 'the item is deleted by hand in the moment of a release: fences',
    expected: 'they rise (Alonce does not promise it within seconds)',
    play: (stage) => fencesAfterDeletion(stage, 0),
  },
  {
    name: 'the item is deleted by hand while it is held',
    expected: 'another gets it (nobody can know), under a larger fence',
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      const first = await acquire(a)
      await stage.deleteItems()
      const second = await acquire(b)
      const [before, after] = [first, second].map((result) => (result.outcome === 'acquired' ? result.fence : undefined))
      const rises = before !== undefined && after !== undefined && after > before
      const fences = before === undefined ? 'no fences' : rises ? 'a larger fence' : `fence ${after} after ${before}`
      return cell(acquired(second) && rises, `the second: ${words(second)}, ${fences}`, 1 + Number(acquired(second)))
    },
  },
  {
    name: 'the holder is killed; somebody comes when its 6 s lease is over',
    expected: 'gets it soon, without waiting for another lease',
    slow: true,
    play: async (stage) => {
      const a = await stage.actor()
      await acquire(a, LONG_LEASE_MS)
      a.kill()
      await delay(LONG_LEASE_MS)
      const b = await stage.actor()
      const { result, seconds, ms } = await timed(() => until(() => acquire(b, LONG_LEASE_MS), acquired, TAKEOVER_WITHIN_MS))
      return cell(
        acquired(result) && ms < LONG_LEASE_MS - 1000,
        `${words(result)} after another ${seconds}`,
        1 + Number(acquired(result)),
      )
    },
  },
  {
    name: 'the table is away from the holder past its lease',
    expected: 'the holder is told before another gets it',
    slow: true,
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      await acquire(a)
      a.proxy.goAway(true)
      const second = await persist(b)
      const told = await believes(a)
      return cell(
        acquired(second) && !belief(told) && !a.crashed,
        `the other: ${words(second)}; the holder: ${words(told)}`,
        1 + Number(belief(told)),
      )
    },
  },
  {
    name: 'a name that is `undefined`',
    expected: 'refused',
    play: async (stage) => {
      const a = await stage.actor()
      const result = await a.ask({ do: 'acquire', name: undefined, leaseMs: LEASE_MS })
      return cell(!acquired(result), words(result), Number(acquired(result)))
    },
  },
]
