import { expect, test } from 'vitest'
import { type Entry, type Execution, type Hold, problems, Recorder } from './history.ts'

const hold = (owner: string, fence: number, [askedAt, grantedAt, believedUntil]: readonly [number, number, number]): Hold => ({
  what: 'hold',
  key: 'k',
  owner,
  fence,
  askedAt,
  grantedAt,
  believedUntil,
})

const call = (owner: string, outcome: Execution['outcome'], more: Partial<Execution> = {}): Execution => ({
  what: 'call',
  key: 'k',
  owner,
  askedAt: 0,
  returnedAt: 100,
  outcome,
  ...more,
})

const sound: readonly { readonly title: string; readonly history: readonly Entry[] }[] = [
  { title: 'nothing', history: [] },
  {
    title: 'holds one after another',
    history: [hold('A', 1, [0, 1, 10]), hold('B', 2, [0, 11, 20]), hold('C', 5, [12, 21, 30])],
  },
  { title: 'a hold that begins where another ends', history: [hold('A', 1, [0, 1, 10]), hold('B', 2, [0, 10, 20])] },
  {
    title: 'holds of different keys at once, with the same fence',
    history: [hold('A', 1, [0, 1, 10]), { ...hold('B', 1, [0, 1, 10]), key: 'other' }],
  },
  {
    title: 'one run, its replays, and those who were refused while it ran',
    history: [
      call('A', 'completed', { ran: { fence: 1, from: 10, until: 90 }, result: 'r' }),
      call('B', 'replayed', { result: 'r' }),
      call('C', 'refused'),
    ],
  },
  {
    title: 'a failure, then a zombie, then the run that counts',
    history: [
      call('A', 'failed', { ran: { fence: 1, from: 1, until: 5 } }),
      call('B', 'zombie', { ran: { fence: 2, from: 6, until: 95 } }),
      call('C', 'completed', { ran: { fence: 3, from: 50, until: 60 }, result: 'c' }),
      call('D', 'replayed', { result: 'c' }),
    ],
  },
]

test.each(sound)('the checker finds nothing wrong with $title', ({ history }) => {
  expect(problems(history)).toEqual([])
})

/** Each is a history that a buggy library could have produced. The checker must name it. */
const unsound: readonly { readonly bug: string; readonly says: RegExp; readonly history: readonly Entry[] }[] = [
  {
    bug: 'two believe at once',
    says: /^V1: A \(fence 1\) and B \(fence 2\) held at once$/,
    history: [hold('A', 1, [0, 1, 10]), hold('B', 2, [5, 9, 20])],
  },
  {
    bug: 'a short hold inside a long one, with another long one after it',
    says: /^V1: A .* and C .* held at once$/,
    history: [hold('A', 1, [0, 1, 100]), hold('B', 2, [0, 100, 101]), hold('C', 3, [0, 99, 200])],
  },
  {
    bug: 'a fence is given twice',
    says: /^V2: .* the same fence$/,
    history: [hold('A', 1, [0, 1, 10]), hold('B', 1, [0, 11, 20])],
  },
  {
    bug: 'a fence falls after a clean-up',
    says: /^V2: .* has the smaller fence$/,
    history: [hold('A', 1, [0, 1, 10]), hold('B', 2, [0, 11, 20]), hold('C', 1.5, [21, 22, 30])],
  },
  {
    bug: 'the fences of runs fall',
    says: /^V2: .* has the smaller fence$/,
    history: [
      call('A', 'failed', { ran: { fence: 9, from: 1, until: 5 } }),
      call('B', 'completed', { askedAt: 6, ran: { fence: 3, from: 7, until: 9 } }),
    ],
  },
  {
    bug: 'a late duplicate of an acquire is granted anew',
    says: /^V3: .* one owner was granted twice$/,
    history: [hold('A', 1, [0, 1, 10]), hold('B', 2, [0, 11, 20]), hold('A', 3, [0, 21, 30])],
  },
  {
    bug: 'a zombie’s completion counts besides its successor’s',
    says: /^V4: .* both counted as completed$/,
    history: [
      call('A', 'completed', { ran: { fence: 1, from: 1, until: 90 }, result: 'a' }),
      call('B', 'completed', { ran: { fence: 2, from: 91, until: 95 }, result: 'b' }),
    ],
  },
  {
    bug: 'a replay gives the zombie’s result',
    says: /^V4: C was given a, and the run that counted gave b$/,
    history: [
      call('A', 'zombie', { ran: { fence: 1, from: 1, until: 90 }, result: 'a' }),
      call('B', 'completed', { ran: { fence: 2, from: 50, until: 60 }, result: 'b' }),
      call('C', 'replayed', { result: 'a' }),
    ],
  },
  {
    bug: 'a result is replayed that nobody completed',
    says: /^V4: .* that nobody completed$/,
    history: [call('A', 'failed', { ran: { fence: 1, from: 1, until: 5 } }), call('B', 'replayed', { result: 'a' })],
  },
  {
    bug: 'it is run again after it was completed',
    says: /^V4: B ran after A had completed$/,
    history: [
      call('A', 'completed', { ran: { fence: 1, from: 1, until: 5 }, returnedAt: 6, result: 'a' }),
      call('B', 'failed', { askedAt: 7, ran: { fence: 2, from: 8, until: 9 } }),
    ],
  },
  {
    bug: 'two runs at once, both of which count themselves as valid',
    says: /^V1: .* ran at once$/,
    history: [
      call('A', 'failed', { ran: { fence: 1, from: 1, until: 50 } }),
      call('B', 'completed', { ran: { fence: 2, from: 40, until: 60 }, result: 'b' }),
    ],
  },
]

test.each(unsound)('negative control: the checker sees that $bug', ({ history, says }) => {
  expect(problems(history)).toContainEqual(expect.stringMatching(says))
})

test('a recorder stamps its process on what it is told', () => {
  const recorder = new Recorder(() => 42, 'p1')
  recorder.add(hold('A', 1, [recorder.now(), 43, 44]))
  expect(recorder.entries).toEqual([{ ...hold('A', 1, [42, 43, 44]), process: 'p1' }])
})
