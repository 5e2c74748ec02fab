import { parse } from 'yaml'

/** As much of CloudFormation's template language as CDK's templates use. */

export interface Template {
  readonly Parameters?: { readonly [name: string]: Parameter }
  readonly Conditions?: { readonly [name: string]: unknown }
  readonly Resources: { readonly [id: string]: Resource }
  readonly Outputs?: { readonly [name: string]: Output }
}

/** `cdk` sends JSON, and of `bootstrap` YAML: YAML is both. */
export const templateOf = (body: string): Template => parse(body) as Template

export interface Parameter {
  readonly Type: string
  readonly Default?: string | number
}
export interface Resource {
  readonly Type: string
  readonly Condition?: string
  readonly DeletionPolicy?: string
  readonly Properties?: { readonly [name: string]: unknown }
}
export interface Output {
  readonly Value: unknown
  readonly Description?: string
  readonly Condition?: string
  readonly Export?: { readonly Name: unknown }
}

export interface Surroundings {
  readonly template: Template
  /** By name, pseudo parameters among them. */
  readonly parameters: { readonly [name: string]: string | readonly string[] }
  /** What `Ref` gives of a resource. */
  readonly physicalId: (id: string) => string
  /** What `Fn::GetAtt` gives. */
  readonly attribute: (id: string, name: string) => string
}

type Call = readonly unknown[]

/** A value with nothing left in it to be worked out. @throws for a function that is not known here */
export function resolve(value: unknown, around: Surroundings): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(item, around)).filter((item) => item !== undefined)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const [first] = entries
  if (entries.length === 1 && first && (first[0] === 'Ref' || first[0].startsWith('Fn::'))) return call(first, around)
  return Object.fromEntries(
    entries.map(([name, inner]) => [name, resolve(inner, around)]).filter(([, inner]) => inner !== undefined),
  )
}

function call([name, argument]: readonly [string, unknown], around: Surroundings): unknown {
  const text = (inner: unknown): string => String(resolve(inner, around))
  switch (name) {
    case 'Ref':
      return reference(String(argument), around)
    case 'Fn::GetAtt': {
      const [id = '', attribute = ''] = Array.isArray(argument) ? (argument as string[]) : String(argument).split('.')
      return around.attribute(id, attribute)
    }
    case 'Fn::Sub':
      return substitute(argument, around)
    case 'Fn::Join': {
      const [separator, parts] = argument as [string, Call]
      return listOf(parts, around).join(separator)
    }
    case 'Fn::Select': {
      const [index, list] = argument as [number, Call]
      return listOf(list, around)[Number(index)]
    }
    case 'Fn::Split': {
      const [separator, whole] = argument as [string, unknown]
      return text(whole).split(separator)
    }
    case 'Fn::If': {
      const [condition, yes, no] = argument as [string, unknown, unknown]
      return resolve(holds(condition, around) ? yes : no, around)
    }
    default:
      throw new Error(`${name} is not played`)
  }
}

function listOf(value: unknown, around: Surroundings): Call {
  const list = resolve(value, around)
  if (!Array.isArray(list)) throw new Error(`A list is wanted: ${JSON.stringify(value)}`)
  return list as Call
}

function reference(name: string, { parameters, template, physicalId }: Surroundings): string | readonly string[] | undefined {
  if (name === 'AWS::NoValue') return undefined
  if (name in parameters) return parameters[name]
  if (name in template.Resources) return physicalId(name)
  throw new Error(`${name} refers to nothing`)
}

function substitute(argument: unknown, around: Surroundings): string {
  const [text, extra] = (Array.isArray(argument) ? argument : [argument, {}]) as [string, Record<string, unknown>]
  return text.replaceAll(/\$\{([^}!]+)\}/g, (_match, name: string) => {
    if (name in extra) return String(resolve(extra[name], around))
    const [id = '', ...attribute] = name.split('.')
    return attribute.length > 0 ? around.attribute(id, attribute.join('.')) : String(reference(name, around))
  })
}

/** Whether a condition of the template holds. */
export function holds(name: string, around: Surroundings): boolean {
  return judged(around.template.Conditions?.[name], around)
}

function judged(condition: unknown, around: Surroundings): boolean {
  const [[name, argument] = ['', undefined]] = Object.entries(condition as object) as [string, unknown][]
  const all = argument as Call
  switch (name) {
    case 'Condition':
      return holds(String(argument), around)
    case 'Fn::Equals':
      return String(resolve(all[0], around)) === String(resolve(all[1], around))
    case 'Fn::Not':
      return !judged(all[0], around)
    case 'Fn::And':
      return all.every((inner) => judged(inner, around))
    case 'Fn::Or':
      return all.some((inner) => judged(inner, around))
    default:
      throw new Error(`The condition ${name} is not played`)
  }
}
