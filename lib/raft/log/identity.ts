import type { MemberId } from '../entry.ts'
import { foreign, type Place, type Refusal } from './failure.ts'

/** Whose files these are: written into each, compared before anything in it is believed. */
export interface Identity {
  /** 1 to 200 bytes, chosen once, when the cluster is founded. */
  readonly clusterId: string
  readonly memberId: MemberId
}

export const FORMAT_VERSION = 1
export const MAX_CLUSTER_ID_BYTES = 200

/** What a file's header says, its sum being right. */
export interface Origin extends Identity {
  readonly version: number
}

/** Another version comes first: what it says about the rest may be read wrongly. */
export function foreignness(found: Origin | 'other version', own: Identity, at: Omit<Place, 'what'>): Refusal | undefined {
  if (found === 'other version')
    return foreign(
      { ...at, what: 'Written in a format that this version does not know' },
      `This version reads format ${FORMAT_VERSION}. Start the version that wrote the file, or upgrade by way of one that reads both.`,
    )
  if (found.clusterId !== own.clusterId)
    return foreign(
      { ...at, what: `Belongs to cluster "${found.clusterId}", not to "${own.clusterId}"` },
      'Correct the cluster id or the directory: two clusters must not share one.',
    )
  if (found.memberId !== own.memberId)
    return foreign(
      { ...at, what: `Belongs to member ${found.memberId}, not to ${own.memberId}` },
      'Correct the member id or the directory: a member must not take up the votes of another.',
    )
  return undefined
}
