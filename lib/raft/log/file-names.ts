/** Names sort as their numbers do: 16 digits hold every whole number that we use. */
const digits = (value: number): string => String(value).padStart(16, '0')

export const segmentName = (sequence: number): string => `segment-${digits(sequence)}.log`
export const snapshotName = (index: number): string => `snapshot-${digits(index)}.snap`
/** Not in force until it is renamed: whatever bears such a name at the start is removed. */
export const temporary = (name: string): string => `${name}.tmp`

export interface Listing {
  /** Sequence numbers, rising. */
  readonly segments: readonly number[]
  /** Indexes, rising. */
  readonly snapshots: readonly number[]
  readonly temporaries: readonly string[]
}

/** Files that are not ours (`lost+found`) are let alone. */
export function sortListing(names: readonly string[]): Listing {
  const numbers = (pattern: RegExp): number[] =>
    names
      .map((name) => Number(pattern.exec(name)?.[1] ?? -1))
      .filter((value) => value >= 0)
      .sort((a, b) => a - b)
  return {
    segments: numbers(/^segment-(\d{16})\.log$/),
    snapshots: numbers(/^snapshot-(\d{16})\.snap$/),
    temporaries: names.filter((name) => /^(segment|snapshot)-\d{16}\.(log|snap)\.tmp$/.test(name)).sort(),
  }
}
