import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Stack } from 'aws-cdk-lib/core'
import { AlonceStack } from '../../infra/stacks/alonce-stack.ts'

export const ROOT = join(import.meta.dirname, '../..')

export interface Resource {
  readonly Type: string
  readonly Properties: { readonly [name: string]: unknown }
}
export interface Template {
  readonly Resources: { readonly [logicalId: string]: Resource }
}

export const cdkJson = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as {
  readonly app: string
  readonly context: { readonly [flag: string]: unknown }
}

const folders: string[] = []
export const removeFolders = (): void => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}

export interface Assembly {
  readonly app: App
  readonly stack: AlonceStack
  readonly folder: string
}

/** The stack as `infra/app.ts` makes it, with the flags of `cdk.json`. */
export function newAssembly(): Assembly {
  const folder = temporaryFolder()
  const app = new App({ context: { ...cdkJson.context }, outdir: folder })
  const stack = new AlonceStack(app, 'Alonce', { paymentProviderUrl: 'https://api.provider.example' })
  return { app, stack, folder }
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'alonce-infra-'))
  folders.push(folder)
  return folder
}

/** A stack of one construct, and what becomes of it. */
export function stackIn(region?: string): { readonly stack: Stack; template(): Template } {
  const app = new App({ context: { ...cdkJson.context }, outdir: temporaryFolder() })
  const stack = new Stack(app, 'Stack', region ? { env: { region, account: '111122223333' } } : {})
  return { stack, template: () => app.synth().getStackByName('Stack').template as Template }
}

export const ofType = (template: Template, type: string): [string, Resource][] =>
  Object.entries(template.Resources).filter(([, resource]) => resource.Type === type)

export function only(template: Template, type: string): Resource {
  const [first, ...others] = ofType(template, type)
  if (!first || others.length > 0) throw new Error(`${others.length + (first ? 1 : 0)} of ${type}, one expected`)
  return first[1]
}
