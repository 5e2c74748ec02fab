/** The cases of what no peer has, and those that a goal is about. */
export const FIRST_OF_KEY = ['permit, the first ever of its key', 'shared lock, the first ever of its key'] as const
export const KNOWN_KEY = [
  'permit, beside one that this process holds',
  'permit, of a key that this process has used',
  'shared lock, beside one that this process holds',
  'shared lock, of a key that this process has used',
] as const
export const TRANSACTED = ['operation with one write in transact(), begin to end'] as const

export const TOGETHER = ['two locks together, of keys that this process has used'] as const

export type EffectCase =
  | (typeof FIRST_OF_KEY)[number]
  | (typeof KNOWN_KEY)[number]
  | (typeof TRANSACTED)[number]
  | (typeof TOGETHER)[number]
  | 'two locks together, the first ever of their keys'
  | 'two locks together, release'
  | `${'permit' | 'shared lock'}, of a key that only others have used`
  | `${'permit' | 'shared lock'}, release`
  | 'replay of it'
