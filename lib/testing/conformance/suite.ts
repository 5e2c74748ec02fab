import { faultCases } from './faults.ts'
import { leaseCases } from './leases.ts'
import { lockCases } from './locks.ts'
import { operationDetailCases } from './operation-details.ts'
import { operationCases } from './operations.ts'
import { queueCases } from './queues.ts'
import { sharingCases } from './sharing.ts'
import type { ConformanceOptions, Need, StoreUnderTest } from './subject.ts'
import { togetherCases } from './together.ts'
import { transactionCases } from './transactions.ts'
import { type Case, Trial } from './trial.ts'

const chapters: readonly { readonly title: string; readonly cases: readonly Case[] }[] = [
  { title: 'locks', cases: lockCases },
  { title: 'locks that are shared', cases: sharingCases },
  { title: 'locks that are queued for', cases: queueCases },
  { title: 'several locks together', cases: togetherCases },
  { title: 'operations', cases: operationCases },
  { title: 'what an operation keeps', cases: operationDetailCases },
  { title: 'when leases end', cases: leaseCases },
  { title: 'transactions with items of the caller’s', cases: transactionCases },
  { title: 'lost answers, lost requests, late duplicates', cases: faultCases },
]

/**
 * The contract of `Store` as a suite of tests, to be run on every store. A store that passes carries Alonce's locks and
 * idempotency. `open` gives a fresh store for each case (or fresh clients of one: every case has keys of its own).
 *
 * @example
 * import { describe, it } from 'node:test'
 *
 * storeConformance('my store', async () => ({ connect: () => ({ store: myStore() }) }), {
 *   describe,
 *   it,
 *   skip: {
 *     time: 'it keeps real time',
 *     removal: 'nothing can be deleted by hand',
 *     counters: 'it has no transactions',
 *     together: 'it has no acquireAll',
 *   },
 * })
 */
export function storeConformance(name: string, open: () => Promise<StoreUnderTest>, options: ConformanceOptions): void {
  const { describe, it, skip = {} } = options
  describe(`${name}: the contract of a store`, () => {
    for (const { title, cases } of chapters) {
      describe(title, () => {
        for (const entry of cases) {
          const reason = entry.needs?.map((need) => skip[need]).find((why) => why !== undefined)
          if (reason === undefined) it(entry.title, () => perform(entry, open))
          else it.skip?.(`${entry.title} (skipped: ${reason})`, async () => undefined)
        }
      })
    }
  })
}

const MEANS: { readonly [need in Need]: (subject: StoreUnderTest) => { readonly [name: string]: unknown } } = {
  time: ({ advance }) => ({ advance }),
  removal: ({ remove }) => ({ remove }),
  counters: ({ counters }) => ({ counters }),
  together: (subject) => ({ acquireAll: subject.connect().store.acquireAll }),
}

async function perform(entry: Case, open: () => Promise<StoreUnderTest>): Promise<void> {
  const subject = await open()
  try {
    for (const need of entry.needs ?? []) {
      const [name, means] = Object.entries(MEANS[need](subject))[0] ?? []
      if (!means) throw new Error(`Give the suite "${name}", or say in skip.${need} why that can't be.`)
    }
    await entry.run(new Trial(subject))
  } finally {
    await subject.close?.()
  }
}
