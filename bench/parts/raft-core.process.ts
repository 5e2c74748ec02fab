import { NO_MEMBERS } from '../../lib/raft/core/configuration.ts'
import { type LogIndex, type MemberId, NO_HARD_STATE } from '../../lib/raft/core/entry.ts'
import type { Message } from '../../lib/raft/core/messages.ts'
import { RaftCore } from '../../lib/raft/core/raft-core.ts'
import { MemoryLog } from '../../test/raft/core/memory-log.ts'
import { reportToParent } from './child.ts'

export interface CoreWish {
  readonly steps: number
}

export interface CoreReport {
  /** Messages between members that were stepped, per second of the clock, and of the processor. */
  readonly perSecond: number
  readonly perCpuSecond: number
  readonly committed: number
}

/** So many entries wait in a member's log before the older ones are forgotten. */
const KEPT = 2000
const PAYLOAD = new Uint8Array(64)

interface Member {
  readonly core: RaftCore
  readonly log: MemoryLog
  applied: LogIndex
}

/** Five members, their logs in memory, every message delivered at once: the leader proposes in every round, the others follow. */
class Five {
  readonly #members: readonly Member[]
  #inFlight: Message[] = []
  steps = 0

  constructor() {
    const voters = [1, 2, 3, 4, 5] as MemberId[]
    this.#members = voters.map((id) => {
      const log = new MemoryLog()
      const configuration = { ...NO_MEMBERS, voters }
      const core = new RaftCore({
        id,
        log,
        hardState: NO_HARD_STATE,
        configuration,
        applied: 0 as LogIndex,
        fraction: () => (id % 10) / 10,
      })
      return { core, log, applied: 0 as LogIndex }
    })
    this.#leader.core.campaign()
    this.#settle()
  }

  get #leader(): Member {
    return this.#members[0] as Member
  }

  get committed(): number {
    return this.#leader.core.status().commit
  }

  round(): void {
    for (const { core } of this.#members) core.tick()
    this.#leader.core.propose(PAYLOAD)
    this.#settle()
  }

  #settle(): void {
    do {
      for (const member of this.#members) this.#work(member)
      const due = this.#inFlight
      this.#inFlight = []
      for (const message of due) (this.#members[message.to - 1] as Member).core.step(message)
      this.steps += due.length
    } while (this.#inFlight.length > 0 || this.#members.some(({ core }) => core.hasReady()))
  }

  #work(member: Member): void {
    const { core, log } = member
    while (core.hasReady()) {
      const { hardState, snapshot, entries, messages, committedEntries } = core.ready()
      log.write(hardState, snapshot, entries)
      for (const message of messages) this.#inFlight.push(message)
      member.applied = committedEntries.at(-1)?.index ?? member.applied
      core.advance()
    }
    if (log.lastIndex() - log.firstIndex() > 2 * KEPT && member.applied > log.firstIndex() + KEPT)
      log.compact((member.applied - KEPT) as LogIndex)
  }
}

await reportToParent(async ({ steps }: CoreWish): Promise<CoreReport> => {
  const five = new Five()
  while (five.steps < steps / 5) five.round()
  const before = five.steps
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  while (five.steps < before + steps) five.round()
  const { user, system } = process.cpuUsage(cpu)
  const done = five.steps - before
  return {
    perSecond: (done / (performance.now() - began)) * 1000,
    perCpuSecond: (done / (user + system)) * 1e6,
    committed: five.committed,
  }
})
