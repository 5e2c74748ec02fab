import { AlonceError } from '../store/errors.ts'
import { escapePart } from '../store/key.ts'
import type { Fence, RecordKey } from '../store/record.ts'
import { downstreamKeyOf } from './key.ts'
import type { OperationSignal } from './lease.ts'
import type { Operation } from './operation.ts'
import { MAX_LEASE_MS, type Plan } from './options.ts'
import type { Attempt } from './running.ts'

const MAX_NAME_CHARS = 128

export function handleOf(attempt: Attempt): Operation {
  const { key } = attempt.identity
  const { fence, attempt: number, epoch, retired } = attempt.claim.started
  const generations = new Map(Object.entries(retired))
  const downstreamKey = (name: string): string =>
    downstreamKeyOf({ record: key, epoch, name: checkedName(name), generation: generations.get(name) ?? 0 })
  return {
    key,
    fence,
    attempt: number,
    get signal() {
      return attempt.keeper.signal
    },
    isProtected: true,
    downstreamKey,
    retireDownstreamKey: async (name) => {
      const generation = (generations.get(checkedName(name)) ?? 0) + 1
      generations.set(name, await retire(attempt, name, generation))
      return downstreamKey(name)
    },
    extend: (ms) => attempt.keeper.extend(checkedMs(ms, attempt.identity.plan)),
  }
}

/** Naming the generation makes this safe to call again: a second retirement of the same key is the first one. */
async function retire({ identity, claim, keeper }: Attempt, name: string, generation: number): Promise<number> {
  const { plan, key } = identity
  if (keeper.over) throw keeper.endedError()
  const reply = await plan.store.execute({ type: 'once.retire', key, owner: claim.owner, name, generation })
  if (reply.outcome === 'retired') return reply.generation
  throw keeper.lose(reply.outcome)
}

/**
 * The handle of a run without a record. With a known key, downstream keys are those of a first attempt: the other system still
 * recognises a duplicate. Without one they are new each time.
 */
export function unprotectedHandle(plan: Plan, key: RecordKey | undefined): Operation {
  const record = key ?? (`once/${escapePart(plan.operation)}/?${plan.store.runtime.random.id()}` as RecordKey)
  const refuse = async (): Promise<never> => {
    throw new AlonceError('STORE_UNAVAILABLE', 'This run is unprotected: it has no record that could be changed.', {
      key: record,
    })
  }
  return {
    key: record,
    fence: 0 as Fence,
    attempt: 1,
    signal: new AbortController().signal as OperationSignal,
    isProtected: false,
    downstreamKey: (name) => downstreamKeyOf({ record, epoch: 0, name: checkedName(name), generation: 0 }),
    retireDownstreamKey: refuse,
    extend: async () => undefined,
  }
}

function checkedName(name: string): string {
  if (typeof name === 'string' && name.length > 0 && name.length <= MAX_NAME_CHARS) return name
  throw new AlonceError('KEY_INVALID', `A downstream key needs a name of 1 to ${MAX_NAME_CHARS} characters.`)
}

function checkedMs(ms: number, plan: Plan): number {
  const { minLeaseMs } = plan.store.capabilities
  if (ms >= minLeaseMs && ms <= MAX_LEASE_MS) return Math.ceil(ms)
  throw new AlonceError('CONFIG_INVALID', `extend(ms) takes ${minLeaseMs} to ${MAX_LEASE_MS} milliseconds.`, { option: 'ms' })
}
