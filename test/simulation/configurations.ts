import { decodeConfChange } from '../../lib/raft/core/conf-change.ts'
import { type Configuration, describeConfiguration, NO_MEMBERS } from '../../lib/raft/core/configuration.ts'
import type { Entry, MemberId } from '../../lib/raft/core/entry.ts'
import { reconfigure } from '../../lib/raft/core/reconfigure.ts'
import { demand } from './violation.ts'

/** Who is a member from which entry on, worked out from the decided changes alone. */
export class Configurations {
  #latest: Configuration
  readonly #since: { readonly index: number; readonly text: string }[]
  readonly #known: Set<string>

  constructor(founders: readonly MemberId[]) {
    this.#latest = { ...NO_MEMBERS, voters: founders }
    const text = describeConfiguration(this.#latest)
    this.#since = [{ index: 0, text }]
    // Who joins knows of nobody yet.
    this.#known = new Set([text, describeConfiguration(NO_MEMBERS)])
  }

  /** A change is applied for the first time; they are in the order of their indexes. */
  decided({ index, data }: Entry): void {
    const next = reconfigure(this.#latest, decodeConfChange(data))
    demand(next.outcome === 'changed', () => `the change of members at ${index} can't be made`)
    this.#latest = next.configuration
    const text = describeConfiguration(this.#latest)
    this.#since.push({ index, text })
    this.#known.add(text)
  }

  /** What a member takes for the configuration was decided at some time. */
  demandKnown(id: MemberId, configuration: Configuration): void {
    const text = describeConfiguration(configuration)
    demand(this.#known.has(text), () => `member ${id} has a configuration that was never decided: ${text}`)
  }

  demandAt(id: MemberId, index: number, configuration: Configuration): void {
    const text = describeConfiguration(configuration)
    const right = this.#since.findLast((since) => since.index <= index)?.text
    demand(text === right, () => `member ${id} has the configuration ${text} at ${index}, others ${right}`)
  }
}
