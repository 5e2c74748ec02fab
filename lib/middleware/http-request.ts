import { createHash } from 'node:crypto'
import { type HeaderKey, headerKey } from './http-key.ts'

/** A request, whatever brought it here. */
export interface HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
  /** All values of a header, in whatever case its name was sent. */
  header(name: string): readonly string[]
}

/** What key, scope and fingerprint are computed from. */
export interface Asked {
  readonly request: HttpRequest
  /** As the user's functions get it: an event, or a `Request`. */
  readonly original: unknown
  readonly key: HeaderKey
}

export const asked = (request: HttpRequest, original: unknown, header: string): Asked => ({
  request,
  original,
  key: headerKey(request.header(header)),
})

/** Parameters of one name keep their order; otherwise it says nothing. */
export function defaultFingerprint({ method, path, query, body }: HttpRequest): unknown {
  const names = [...new Set(query.map(([name]) => name))].sort()
  const sorted = names.map((name) => [name, query.filter(([other]) => other === name).map(([, value]) => value)])
  return [method, path, sorted, createHash('sha256').update(body).digest('base64url')]
}
