import type { Configuration } from '../../lib/raft/core/configuration.ts'
import type { Entry, LogIndex, MemberId } from '../../lib/raft/core/entry.ts'
import type { StableLog } from '../../lib/raft/core/stable-log.ts'
import type { RaftStatus } from '../../lib/raft/core/status.ts'
import type { PeerMessage } from '../../lib/raft/node/ports.ts'
import { mix } from './chance.ts'

export class Violation extends Error {
  override readonly name = 'Violation'
}

export function demand(holds: boolean, problem: () => string): asserts holds {
  if (!holds) throw new Violation(problem())
}

/** What a member's disk has acknowledged, remembered outside of it: it must be there after any crash. */
interface Mirror {
  /** The term of each entry, by index. */
  terms: number[]
  base: number
  last: number
  lastTerm: number
  term: number
  vote: number
  snapshot: number
  commit: number
  configuration: Configuration | undefined
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
  /** The highest index that was committed in each term. */
  readonly #committedIn = new Map<number, number>()
  highest = 1
  highestApplied = 0

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
    if (!decided) this.#decided.set(index, { term: entry.term, content })
    this.highestApplied = Math.max(this.highestApplied, index)
    this.#sameState(id, index, digest)
  }

  restored(id: MemberId, index: number, digest: number): void {
    this.#sameState(id, index, digest)
  }

  #sameState(id: MemberId, index: number, digest: number): void {
    const known = this.#digests.get(index)
    demand(known === undefined || known === digest, () => `member ${id} has another state than others at ${index}`)
    this.#digests.set(index, digest)
  }

  /** After a step of `id`. */
  check(status: RaftStatus, durable: StableLog): void {
    const mirror = this.follow(status.id, durable)
    demand(status.commit >= mirror.commit, () => `member ${status.id} takes back commit ${mirror.commit} (now ${status.commit})`)
    if (status.commit > this.highest) {
      // A change may have come into force in the same step, after it was counted by the old configuration.
      const configurations = [status.configuration, mirror.configuration ?? status.configuration]
      const enough = configurations.some((configuration) => this.#isDurable(status.commit, configuration))
      demand(enough, () => `member ${status.id} takes ${status.commit} for committed, but no majority has it on its disk`)
      this.highest = status.commit
      this.#committedIn.set(status.term, status.commit)
    }
    mirror.commit = status.commit
    mirror.configuration = status.configuration
    if (status.role === 'leader') this.#checkLeader(status)
  }

  #checkLeader({ id, term, lastIndex }: RaftStatus): void {
    const leader = this.#leaders.get(term)
    demand(leader === undefined || leader === id, () => `election safety: ${leader} and ${id} lead in term ${term}`)
    if (leader !== undefined) return
    this.#leaders.set(term, id)
    // A leader that was elected while another of a later term was at work needs to have only what was committed before its own.
    for (const [earlier, commit] of this.#committedIn)
      demand(
        earlier >= term || lastIndex > commit,
        () => `leader completeness: leader ${id} of term ${term} ends at ${lastIndex}, ${commit} is committed`,
      )
  }

  /** Committed means: on the disks of a majority, of each half of a joint configuration. */
  #isDurable(commit: number, { voters, votersOutgoing }: Configuration): boolean {
    const holds = (member: MemberId): boolean => (this.#mirrors.get(member)?.last ?? 0) >= commit
    const isMajority = (half: readonly MemberId[]): boolean => half.length === 0 || half.filter(holds).length * 2 > half.length
    return isMajority(voters) && isMajority(votersOutgoing)
  }

  follow(id: MemberId, durable: StableLog): Mirror {
    const mirror = this.#mirrors.get(id) ?? {
      terms: [],
      base: 0,
      last: 0,
      lastTerm: 0,
      term: 0,
      vote: 0,
      snapshot: 0,
      commit: 0,
      configuration: undefined,
    }
    this.#mirrors.set(id, mirror)
    const last = durable.lastIndex()
    const lastTerm = durable.term(last) ?? 0
    const base = durable.firstIndex() - 1
    if (last === mirror.last && lastTerm === mirror.lastTerm && base === mirror.base) return mirror
    let from = last + 1
    while (from > base + 1 && mirror.terms[from - 1] !== durable.term((from - 1) as LogIndex)) from--
    for (const entry of durable.entries(from as LogIndex, (last + 1) as LogIndex, Number.POSITIVE_INFINITY) ?? []) {
      this.#enter(entry, durable.term((entry.index - 1) as LogIndex))
      mirror.terms[entry.index] = entry.term
    }
    mirror.terms.length = last + 1
    Object.assign(mirror, { last, lastTerm, base })
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
    mirror.commit = 0
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
    const { from, index } = message
    demand(durable.lastIndex() >= index, () => `member ${from} acknowledges ${index}, its disk ends at ${durable.lastIndex()}`)
  }
}

const contentOf = ({ kind, data }: Entry): string => `${kind}/${data.length}/${hashOf(data)}`

function hashOf(data: Uint8Array): number {
  let hash = mix(data.length, '')
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}
