/** AWS's query protocol, as CloudFormation, STS and IAM speak it: a form goes in, XML comes out. */

/** The parameters of a request: `Parameters.member.1.ParameterKey` and the like, by their flat names. */
export class QueryInput {
  readonly action: string
  readonly #form: URLSearchParams

  constructor(body: string) {
    this.#form = new URLSearchParams(body)
    this.action = this.#form.get('Action') ?? ''
  }

  optional(name: string): string | undefined {
    return this.#form.get(name) ?? undefined
  }

  required(name: string): string {
    const value = this.optional(name)
    if (value === undefined) throw new AwsError('ValidationError', `${this.action} needs ${name}`)
    return value
  }

  /** A list of structures, each by the names of its members. */
  list(name: string): readonly { readonly [member: string]: string }[] {
    const found = new Map<number, Record<string, string>>()
    for (const [key, value] of this.#form) {
      const [, index, member] = new RegExp(`^${name}\\.member\\.(\\d+)(?:\\.(\\w+))?$`).exec(key) ?? []
      if (index === undefined) continue
      found.set(Number(index), { ...found.get(Number(index)), [member ?? 'value']: value })
    }
    return [...found].sort(([a], [b]) => a - b).map(([, entry]) => entry)
  }
}

/** An error that the caller is told, with its code. */
export class AwsError extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}

export type XmlValue = string | number | boolean | undefined | readonly XmlValue[] | { readonly [tag: string]: XmlValue }

/** Lists are `<member>`s; what is `undefined` is left out. */
export function toXml(value: XmlValue): string {
  if (value === undefined) return ''
  if (isList(value)) return value.map((item) => `<member>${toXml(item)}</member>`).join('')
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([tag, inner]) => (inner === undefined ? '' : `<${tag}>${toXml(inner)}</${tag}>`))
      .join('')
  }
  return String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

const isList = (value: XmlValue): value is readonly XmlValue[] => Array.isArray(value)

export const queryAnswer = (action: string, result: XmlValue): string =>
  toXml({ [`${action}Response`]: { [`${action}Result`]: result, ResponseMetadata: { RequestId: 'request' } } })

export const queryError = ({ code, message }: AwsError): string =>
  toXml({ ErrorResponse: { Error: { Type: 'Sender', Code: code, Message: message }, RequestId: 'request' } })
