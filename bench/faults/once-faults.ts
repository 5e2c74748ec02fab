import { setTimeout as delay } from 'node:timers/promises'
import { type Cell, cell, returned, threw, words } from './cell.ts'
import { type Stage, until } from './stage.ts'

export interface Fault {
  readonly name: string
  /** What a user may expect. */
  readonly expected: string
  /** Takes a lease's length or longer: not in a quick run. */
  readonly slow?: boolean
  play(stage: Stage): Promise<Cell>
}

/** A takeover comes after the lease, the grace that a product adds, and what it takes to be sure of the time. */
const TAKEOVER_WITHIN_MS = 15_000
const SHORT = { remainingMs: 2000 }

export const ONCE_FAULTS: readonly Fault[] = [
  {
    name: 'zombie succeeds after another has completed',
    expected: 'the later attempt’s result stays; 2 effects',
    slow: true,
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      const zombie = await a.callAndStop({ ...SHORT, result: 'A' })
      await until(
        () => b.call({ ...SHORT, result: 'B' }),
        (result) => result.outcome === 'returned',
        TAKEOVER_WITHIN_MS,
      )
      zombie.goOn()
      const late = await zombie.end
      const replay = await b.call({ result: 'C' })
      return cell(
        returned(replay, 'B') && !returned(late, 'A'),
        `the zombie’s call ${words(late)}, a replay ${words(replay)}`,
        stage.effects,
      )
    },
  },
  {
    name: 'zombie fails after another has completed',
    expected: 'the later attempt’s result stays; 2 effects',
    slow: true,
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      const zombie = await a.callAndStop({ ...SHORT, throws: true })
      await until(
        () => b.call({ ...SHORT, result: 'B' }),
        (result) => result.outcome === 'returned',
        TAKEOVER_WITHIN_MS,
      )
      zombie.goOn()
      await zombie.end
      const replay = await b.call({ result: 'C' })
      return cell(returned(replay, 'B'), `the next call ${words(replay)}`, stage.effects)
    },
  },
  {
    name: 'zombie succeeds while another still runs',
    expected: 'the running attempt’s result counts; 2 effects',
    slow: true,
    play: async (stage) => {
      const [a, b, c] = [await stage.actor(), await stage.actor(), await stage.actor()]
      const zombie = await a.callAndStop({ ...SHORT, result: 'A' })
      await delay(SHORT.remainingMs)
      let running = await b.callAndStop({ remainingMs: 20_000, result: 'B' })
      for (let tries = 0; b.effects === 0 && tries < 100; tries++) {
        await delay(100)
        running = await b.callAndStop({ remainingMs: 20_000, result: 'B' })
      }
      zombie.goOn()
      const late = await zombie.end
      const meanwhile = await c.call({ result: 'C' })
      running.goOn()
      await running.end
      const replay = await c.call({ result: 'C' })
      const right = !returned(late, 'A') && threw(meanwhile) && returned(replay, 'B')
      return cell(
        right,
        `the zombie’s call ${words(late)}, a call meanwhile ${words(meanwhile)}, a later one ${words(replay)}`,
        stage.effects,
      )
    },
  },
  {
    name: 'answer of the begin lost',
    expected: 'runs, at once; 1 effect',
    play: async (stage) => {
      const a = await stage.actor()
      a.proxy.dropNextAnswer()
      const result = await a.call()
      return cell(returned(result, 'ok') && stage.effects === 1, `the call ${words(result)}`, stage.effects)
    },
  },
  {
    name: 'answer of the completion lost',
    expected: 'success, and a replay; 1 effect',
    play: async (stage) => {
      const a = await stage.actor()
      const running = await a.callAndStop()
      a.proxy.dropNextAnswer()
      running.goOn()
      const result = await running.end
      const replay = await a.call({ result: 'again' })
      return cell(
        returned(result, 'ok') && returned(replay, 'ok'),
        `the call ${words(result)}, a replay ${words(replay)}`,
        stage.effects,
      )
    },
  },
  {
    name: 'answer of the hand-back lost (the handler failed)',
    expected: 'the handler’s error; the next attempt runs at once; 2 effects',
    play: async (stage) => {
      const a = await stage.actor()
      const running = await a.callAndStop({ throws: true })
      a.proxy.dropNextAnswer()
      running.goOn()
      const failed = await running.end
      const next = await a.call({ result: 'again' })
      const right = failed.outcome === 'threw' && failed.error.message === 'the handler failed' && returned(next, 'again')
      return cell(right, `the call ${words(failed)}, the next one ${words(next)}`, stage.effects)
    },
  },
  {
    name: 'table away from the effect to the call’s end; called again at once',
    expected: 'the caller gets the result; nothing runs again inside the lease; 1 effect',
    slow: true,
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      const running = await a.callAndStop({ remainingMs: 20_000 })
      a.proxy.goAway(true)
      running.goOn()
      const result = await running.end
      const again = await b.call({ remainingMs: 20_000, result: 'again' })
      return cell(
        returned(result, 'ok') && stage.effects === 1,
        `the caller’s call ${words(result)}, the second ${words(again)}`,
        stage.effects,
      )
    },
  },
  {
    name: 'killed between effect and completion, called again after the lease, set to hold',
    expected: 'not run again by itself; 1 effect',
    slow: true,
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      await a.callAndStop({ ...SHORT, options: { hold: true } })
      a.kill()
      await delay(SHORT.remainingMs + 5000)
      const again = await b.call({ ...SHORT, result: 'again', options: { hold: true } })
      return cell(stage.effects === 1, `the next call ${words(again)}`, stage.effects)
    },
  },
  {
    name: 'a client’s clock 6 s ahead, while the first still runs',
    expected: 'refused; 1 effect',
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor(6000)]
      await a.callAndStop({ remainingMs: 4000 })
      const result = await b.call({ remainingMs: 4000 })
      return cell(stage.effects === 1 && threw(result), `the second call ${words(result)}`, stage.effects)
    },
  },
  {
    name: 'the first’s clock 6 s behind, while it still runs',
    expected: 'the second is refused; 1 effect',
    play: async (stage) => {
      const [a, b] = [await stage.actor(-6000), await stage.actor()]
      await a.callAndStop({ remainingMs: 4000 })
      const result = await b.call({ remainingMs: 4000 })
      return cell(stage.effects === 1 && threw(result), `the second call ${words(result)}`, stage.effects)
    },
  },
  {
    name: 'two requests without a key',
    expected: 'refused, or run each for itself as configured; never one’s answer for the other',
    play: async (stage) => {
      const a = await stage.actor()
      const results = [
        await a.call({ event: { payload: 1 }, result: 'for 1' }),
        await a.call({ event: { payload: 2 }, result: 'for 2' }),
      ]
      const [one, two] = results.map(words)
      return cell(!results.some((result, at) => returned(result, at === 0 ? 'for 2' : 'for 1')), `${one}; ${two}`, stage.effects)
    },
  },
  {
    name: 'two users’ requests, whose key of two parts is missing',
    expected: 'never one’s answer for the other',
    play: async (stage) => {
      const a = await stage.actor()
      const options = { keyOf: 'user-and-order' as const }
      const one = await a.call({ event: { payload: 1 }, result: 'for user 1', options })
      const two = await a.call({ event: { payload: 2 }, result: 'for user 2', options })
      return cell(!returned(two, 'for user 1'), `user 1’s call ${words(one)}, user 2’s ${words(two)}`, stage.effects)
    },
  },
  {
    name: 'the result is `undefined`, called twice',
    expected: '`undefined` again; 1 effect',
    play: async (stage) => {
      const a = await stage.actor()
      const results = [await a.call({ result: 'undefined' }), await a.call({ result: 'undefined' })]
      return cell(
        stage.effects === 1 && results.every((result) => returned(result, 'undefined')),
        results.map(words).join(', then '),
        stage.effects,
      )
    },
  },
  {
    name: 'a `Date` in the result, called twice',
    expected: 'no error after the effect; 1 effect',
    play: async (stage) => {
      const a = await stage.actor()
      const results = [await a.call({ result: 'a Date' }), await a.call({ result: 'a Date' })]
      return cell(stage.effects === 1 && !results.some(threw), results.map(words).join(', then '), stage.effects)
    },
  },
  {
    name: 'a result of 450 KB, called twice',
    expected: 'kept and replayed; 1 effect',
    play: async (stage) => {
      const a = await stage.actor()
      const results = [await a.call({ result: '450 KB' }), await a.call({ result: '450 KB' })]
      return cell(stage.effects === 1 && !results.some(threw), results.map(words).join(', then '), stage.effects)
    },
  },
  {
    name: 'the handler changes its event’s key; called again',
    expected: 'a replay; 1 effect',
    play: async (stage) => {
      const a = await stage.actor()
      const first = await a.call({ changesEvent: true })
      const second = await a.call({ result: 'again' })
      return cell(returned(second, 'ok') && stage.effects === 1, `${words(first)}, then ${words(second)}`, stage.effects)
    },
  },
  {
    name: 'two functions, one table, equal payloads',
    expected: 'both run; 2 effects',
    play: async (stage) => {
      const a = await stage.actor()
      const charge = await a.call({ result: 'charged', options: { operation: 'charge' } })
      const email = await a.call({ result: 'e-mailed', options: { operation: 'email' } })
      return cell(stage.effects === 2, `the first ${words(charge)}, the second ${words(email)}`, stage.effects)
    },
  },
  {
    name: 'middy: another middleware throws after the completion; called again',
    expected: 'not run again; 1 effect',
    play: async (stage) => {
      const a = await stage.actor()
      const first = await a.call({ inFailingChain: true })
      const second = await a.call({ inFailingChain: true })
      return cell(stage.effects === 1, `${words(first)}, then ${words(second)}`, stage.effects)
    },
  },
  {
    name: '20 calls at once from 2 processes',
    expected: '1 effect',
    play: async (stage) => {
      const actors = [await stage.actor(), await stage.actor()]
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, at) => actors[at % 2]?.call() ?? Promise.reject(new Error('no actor'))),
      )
      const answered = results.filter((result) => returned(result, 'ok')).length
      return cell(stage.effects === 1, `${answered} were answered, ${results.length - answered} refused`, stage.effects)
    },
  },
  {
    name: 'the record is deleted by hand while the first runs',
    expected: 'a second one runs (nobody can know); its result stays; 2 effects',
    play: async (stage) => {
      const [a, b] = [await stage.actor(), await stage.actor()]
      const first = await a.callAndStop({ result: 'A' })
      await stage.deleteItems()
      const second = await b.call({ result: 'B' })
      first.goOn()
      const late = await first.end
      const replay = await b.call({ result: 'C' })
      const right = returned(second, 'B') && returned(replay, 'B')
      return cell(right, `the second ${words(second)}, the first ${words(late)}, a replay ${words(replay)}`, stage.effects)
    },
  },
]
