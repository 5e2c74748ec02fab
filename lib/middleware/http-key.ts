/** What the header says. A wrong one is an expected outcome: the client is told why. */
export type HeaderKey =
  | { readonly is: 'given'; readonly key: string }
  | { readonly is: 'missing' }
  | { readonly is: 'invalid'; readonly why: string }

const MAX_KEY_CHARS = 255
/** Every character escaped, and as much for parameters: what is longer is not looked at. */
const MAX_RAW_CHARS = 1024

/** Printable ASCII; `"` and `\` are escaped by `\`. RFC 9651, section 3.3.3. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(.*)$/
/** None is defined for this header, and unknown ones are ignored. RFC 9651, section 3.1.2. */
const PARAMETERS = /^(?: *; *[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[^"\\]|\\.)*"|[^;" ]+))?)*$/
/** What many clients send. A comma is what joins two headers of one name. */
const BARE = /^[\x20\x21\x23-\x2b\x2d-\x7e]+$/

/**
 * The key in the values of the header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a string of structured
 * fields, and the bare text without its quotes as well. `"a"` and `a` are one key.
 */
export function headerKey(values: readonly string[]): HeaderKey {
  const [first, ...more] = values
  if (first === undefined) return { is: 'missing' }
  if (more.length > 0) return invalid('was sent more than once')
  const raw = first.replace(/^[ \t]+|[ \t]+$/g, '')
  if (raw.length > MAX_RAW_CHARS) return tooLong
  return checked(raw.startsWith('"') ? unquoted(raw) : bare(raw))
}

function bare(raw: string): string | HeaderKey {
  return raw === '' || BARE.test(raw) ? raw : invalid('may hold printable ASCII only, and needs quotes around a comma or a quote')
}

function unquoted(raw: string): string | HeaderKey {
  const [matched, content = '', rest = ''] = QUOTED.exec(raw) ?? []
  if (matched === undefined || !PARAMETERS.test(rest)) return invalid('is not a string as structured fields have it (RFC 9651)')
  return content.replace(/\\(.)/g, '$1')
}

function checked(key: string | HeaderKey): HeaderKey {
  if (typeof key !== 'string') return key
  if (key === '') return invalid('is empty')
  return key.length > MAX_KEY_CHARS ? tooLong : { is: 'given', key }
}

const invalid = (why: string): HeaderKey => ({ is: 'invalid', why })
const tooLong = invalid(`has more than ${MAX_KEY_CHARS} characters`)
