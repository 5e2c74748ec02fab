import type { TestProject } from 'vitest/node'
import { javaVersion, startDynamoDBLocal } from '../../scripts/dynamodb-local.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** DynamoDB Local's address, or why there is none. */
    dynamodb: { readonly endpoint: string } | { readonly missing: string }
  }
}

/** vitest's globalSetup: one DynamoDB Local for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  if (javaVersion() === undefined) {
    project.provide('dynamodb', { missing: 'DynamoDB Local needs Java 17 or later' })
    return async () => undefined
  }
  const local = await startDynamoDBLocal()
  project.provide('dynamodb', { endpoint: local.endpoint })
  return () => local.stop()
}
