import { type Configuration, isVoter } from '../../lib/raft/core/configuration.ts'
import { type Entry, isConfChange, type LogIndex, type MemberId } from '../../lib/raft/core/entry.ts'
import type { StableLog } from '../../lib/raft/core/stable-log.ts'
import type { RaftStatus } from '../../lib/raft/core/status.ts'
import type { AppliedTo } from '../../lib/raft/node/applier.ts'
import type { CommandOutcome, ReadOutcome } from '../../lib/raft/node/outcome.ts'
import type { PeerMessage } from '../../lib/raft/node/ports.ts'
import { mix } from './chance.ts'
import { Configurations } from './configurations.ts'
import { Promises } from './promises.ts'
import { demand } from './violation.ts'

/** What a member's disk has acknowledged, remembered outside of it: it must be there after any crash. */
interface Mirror {
  /** The term of each entry, by index. */
  terms: number[]
  base: number
  last: number
  lastTerm: number
  /** As it last said, and as it was in its last step. */
  term: number
  stepTerm: number
  commit: number
  applied: number
  configuration: Configuration | undefined
  /** Where changes of the configuration are. */
  changes: readonly number[]
}

/** The paper's safety properties (figure 3), and what must hold of disks, asked after every step. */
export class Invariants {
  readonly #leaders = new Map<number, MemberId>()
  /** The first entry seen for an index and term, with the term before it. */
  readonly #entries = new Map<string, string>()
  readonly #decided = new Map<number, { readonly term: number; readonly content: string }>()
  readonly #digests = new Map<number, number>()
  readonly #mirrors = new Map<MemberId, Mirror>()
  readonly #votes = new Map<string, MemberId>()
  /** The highest entry that was committed in each term. */
  readonly #committedIn = new Map<number, { readonly index: number; readonly term: number }>()
  readonly #configurations: Configurations
  readonly #promises = new Promises((index) => this.#decided.get(index)?.term)
  highest = 1
  highestApplied = 0

  constructor(founders: readonly MemberId[]) {
    this.#configurations = new Configurations(founders)
  }

  get elections(): number {
    return this.#leaders.size
  }

  /** Log matching by induction: an index and a term stand for one entry, and for one term before it. */
  #enter(entry: Entry, termBefore: number | undefined): void {
    const key = `${entry.index}:${entry.term}`
    const content = contentOf(entry)
    const known = this.#entries.get(key)
    const [knownContent, knownBefore] = known?.split('|') ?? []
    demand(known === undefined || knownContent === content, () => `log matching: two entries ${key}`)
    if (known === undefined) this.#promises.placed(entry)
    if (known === undefined || (knownBefore === '' && termBefore !== undefined))
      this.#entries.set(key, `${content}|${termBefore ?? ''}`)
    if (termBefore !== undefined && knownBefore !== undefined && knownBefore !== '')
      demand(
        knownBefore === String(termBefore),
        () => `log matching: before ${key} is term ${knownBefore} and term ${termBefore}`,
      )
  }

  /** State-machine safety: every member applies the same entry at an index, and comes to the same state. */
  applied(id: MemberId, entry: Entry, digest: number): void {
    const { index } = entry
    const content = `${entry.term}:${contentOf(entry)}`
    const decided = this.#decided.get(index)
    demand(decided === undefined || decided.content === content, () => `member ${id} applies another entry ${index} than others`)
    if (!decided) {
      this.#decided.set(index, { term: entry.term, content })
      this.#promises.decided(entry)
      if (isConfChange(entry)) this.#configurations.decided(entry)
    }
    this.highestApplied = Math.max(this.highestApplied, index)
    this.#sameState(id, index, digest)
  }

  restored(id: MemberId, { index, configuration }: AppliedTo, digest: number): void {
    this.#sameState(id, index, digest)
    this.#configurations.demandAt(id, index, configuration)
  }

  told(probe: number, { outcome }: CommandOutcome): void {
    this.#promises.told(probe, outcome)
  }

  /** `bound` was committed when it was asked. */
  read(id: MemberId | 0, outcome: ReadOutcome, bound: number): void {
    if (outcome.outcome !== 'ready') return
    demand(outcome.index >= bound, () => `member ${id} answers a read as of ${outcome.index}, ${bound} was committed before`)
  }

  #sameState(id: MemberId, index: number, digest: number): void {
    const known = this.#digests.get(index)
    demand(known === undefined || known === digest, () => `member ${id} has another state than others at ${index}`)
    this.#digests.set(index, digest)
  }

  /** After a step of `id`; `at` is what its state machine has come to. */
  check(status: RaftStatus, durable: StableLog, at: AppliedTo): void {
    const { id, term, commit, applied, configuration } = status
    const mirror = this.follow(id, durable)
    demand(commit >= mirror.commit, () => `member ${id} takes back commit ${mirror.commit} (now ${commit})`)
    demand(applied <= at.index, () => `member ${id} says that it applied ${applied}, its state is as of ${at.index}`)
    if (configuration !== mirror.configuration) this.#configurations.demandKnown(id, configuration)
    const [before = configuration] = [mirror.configuration]
    Object.assign(mirror, { commit, applied, configuration, stepTerm: term })
    if (mirror.changes.length > 1) this.#checkChanges(id, mirror)
    if (commit > this.highest) {
      // A change may have come into force in the same step, after it was counted by the old configuration.
      const entryTerm = this.#durableTerm(commit, [configuration, before])
      demand(entryTerm !== undefined, () => `member ${id} takes ${commit} for committed, but no majority has it on its disk`)
      this.highest = commit
      this.#committedIn.set(term, { index: commit, term: entryTerm })
      this.#demandSettled(commit, entryTerm)
    }
    if (status.role === 'leader') this.#checkLeader(status)
  }

  /**
   * One change at a time: whoever has a second one on its disk knows that the first is committed. Majorities of its
   * configuration and of any that is in force elsewhere overlap for this reason alone.
   */
  #checkChanges(id: MemberId, { changes, commit }: Mirror): void {
    const open = changes.filter((index) => index > commit)
    demand(open.length < 2, () => `member ${id} has changes of the members at ${open}, and ${commit} is committed`)
  }

  #checkLeader({ id, term, lastIndex }: RaftStatus): void {
    const leader = this.#leaders.get(term)
    demand(leader === undefined || leader === id, () => `election safety: ${leader} and ${id} lead in term ${term}`)
    if (leader !== undefined) return
    this.#leaders.set(term, id)
    const mirror = this.#mirrors.get(id)
    // A leader that was elected while another of a later term was at work needs to have only what was committed before its own.
    for (const [earlier, commit] of this.#committedIn)
      demand(
        earlier >= term || (lastIndex > commit.index && mirror !== undefined && holds(mirror, commit)),
        () => `leader completeness: leader ${id} of term ${term} ends at ${lastIndex}, it lacks ${commit.index} (${commit.term})`,
      )
  }

  /** Committed means: on the disks of a majority, of each half of a joint configuration. Returns the term of the entry. */
  #durableTerm(index: number, configurations: readonly Configuration[]): number | undefined {
    const terms = new Set([...this.#mirrors.values()].map((mirror) => mirror.terms[index]))
    return [...terms].find(
      (term): term is number =>
        term !== undefined &&
        configurations.some((configuration) => isMajority(configuration, (id) => holds(this.#mirrors.get(id), { index, term }))),
    )
  }

  /**
   * Committed means for ever: no member without the entry could be elected, even if all stopped now and only their disks were
   * left (the paper's figure 8 shows how one on a majority of disks may still be lost).
   */
  #demandSettled(index: number, term: number): void {
    for (const [id, mirror] of this.#mirrors) {
      const { configuration, changes, applied, commit } = mirror
      if (!configuration || holds(mirror, { index, term }) || !isVoter(configuration, id)) continue
      // It knows that its configuration is out of date, and does not stand.
      if (changes.some((change) => change > applied && change <= commit)) continue
      const grants = (voter: MemberId): boolean => isUpToDate(mirror, this.#mirrors.get(voter))
      demand(
        !isMajority(configuration, grants),
        () => `${index} (term ${term}) is taken for committed too early: member ${id} lacks it, and could be elected`,
      )
    }
  }

  follow(id: MemberId, durable: StableLog): Mirror {
    const mirror = this.#mirrors.get(id) ?? {
      terms: [],
      base: 0,
      last: 0,
      lastTerm: 0,
      term: 0,
      stepTerm: 0,
      commit: 0,
      applied: 0,
      configuration: undefined,
      changes: [],
    }
    this.#mirrors.set(id, mirror)
    const last = durable.lastIndex()
    const lastTerm = durable.term(last) ?? 0
    const base = durable.firstIndex() - 1
    if (last === mirror.last && lastTerm === mirror.lastTerm && base === mirror.base) return mirror
    let from = last + 1
    while (from > base + 1 && mirror.terms[from - 1] !== durable.term((from - 1) as LogIndex)) from--
    let changes = mirror.changes.filter((index) => index > base && index < from)
    for (const entry of durable.entries(from as LogIndex, (last + 1) as LogIndex, Number.POSITIVE_INFINITY) ?? []) {
      if (isConfChange(entry)) changes = [...changes, entry.index]
      this.#enter(entry, durable.term((entry.index - 1) as LogIndex))
      mirror.terms[entry.index] = entry.term
    }
    mirror.terms.length = last + 1
    Object.assign(mirror, { last, lastTerm, base, changes })
    return mirror
  }

  /** It starts again: what it had acknowledged and others may count on is there. */
  restarted(
    id: MemberId,
    durable: StableLog,
    hardState: { readonly term: number; readonly vote: number; readonly commit: number },
  ): void {
    const mirror = this.#mirrors.get(id)
    if (!mirror) return
    const [first, last] = [durable.firstIndex(), durable.lastIndex()]
    for (const [index, { term }] of this.#decided) {
      if (index > mirror.last || mirror.terms[index] !== term) continue
      const there = index < first || (index <= last && durable.term(index as LogIndex) === term)
      demand(there, () => `member ${id} lost entry ${index} in a crash, though its disk had it`)
    }
    demand(hardState.term >= mirror.term, () => `member ${id} was in term ${mirror.term} and starts in ${hardState.term}`)
    Object.assign(mirror, { commit: 0, applied: 0, configuration: undefined, stepTerm: hardState.term })
  }

  /** Persist before send: what leaves a member rests on its disk. */
  sent(message: PeerMessage, durable: StableLog | undefined): void {
    if (message.type === 'MsgVoteResp' && !message.reject) {
      const key = `${message.from} in ${message.term}`
      const before = this.#votes.get(key)
      demand(before === undefined || before === message.to, () => `member ${key} votes for ${before} and for ${message.to}`)
      this.#votes.set(key, message.to)
    }
    const mirror = this.#mirrors.get(message.from)
    if (mirror && (message.type === 'MsgVoteResp' || message.type === 'MsgAppResp'))
      mirror.term = Math.max(mirror.term, message.term)
    if (message.type !== 'MsgAppResp' || message.reject || !durable) return
    const { from, index, term } = message
    // Of an earlier term: written and replaced in one go. Those who elected the next leader do not have the entry, so this
    // acknowledgement will never be one of a majority.
    if (mirror && term < mirror.stepTerm) return
    demand(durable.lastIndex() >= index, () => `member ${from} acknowledges ${index}, its disk ends at ${durable.lastIndex()}`)
  }
}

const holds = (mirror: Mirror | undefined, { index, term }: { readonly index: number; readonly term: number }): boolean =>
  mirror !== undefined && (mirror.base >= index || mirror.terms[index] === term)

const isUpToDate = ({ last, lastTerm }: Mirror, than: Mirror | undefined): boolean =>
  than === undefined || lastTerm > than.lastTerm || (lastTerm === than.lastTerm && last >= than.last)

function isMajority({ voters, votersOutgoing }: Configuration, says: (id: MemberId) => boolean): boolean {
  const isOf = (half: readonly MemberId[]): boolean => half.length === 0 || half.filter(says).length * 2 > half.length
  return isOf(voters) && isOf(votersOutgoing)
}

const contentOf = ({ kind, data }: Entry): string => `${kind}/${data.length}/${hashOf(data)}`

function hashOf(data: Uint8Array): number {
  let hash = mix(data.length, '')
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}
