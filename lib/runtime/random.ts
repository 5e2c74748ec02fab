import { crypto } from './crypto.ts'

export interface Random {
  /** An unguessable id of at most 24 characters, safe in any key. */
  id(): string
  /** Uniform in [0, 1), for jitter. */
  fraction(): number
}

export const systemRandom: Random = {
  id: () => crypto().randomBytes(15).toString('base64url'),
  fraction: () => Math.random(),
}
