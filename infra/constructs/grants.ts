import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Stack } from 'aws-cdk-lib/core'
import type { Construct } from 'constructs'
import { configInvalid } from '../../lib/store/errors.ts'

/** What the library sends, and nothing else. A transaction is allowed by the action of each of its items. */
const USE = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:UpdateItem'] as const
/** `lock.guard()`: a condition on a lock in a transaction of the caller's. */
const GUARD = ['dynamodb:ConditionCheckItem'] as const
/** To look: the command line's `ls`, `get`, `watch` and `doctor`. `ls` scans, because nobody knows the keys. */
const INSPECT = [
  'dynamodb:DescribeContinuousBackups',
  'dynamodb:DescribeTable',
  'dynamodb:DescribeTimeToLive',
  'dynamodb:GetItem',
  'dynamodb:Query',
  'dynamodb:Scan',
] as const
/** To act: `break`, `forget`, `run`. Records are overwritten, never deleted: a fence must not begin anew. */
const OPERATE = [...new Set([...INSPECT, ...USE, ...GUARD])]
const SWEEP = ['dynamodb:DeleteItem', 'dynamodb:Scan'] as const

export interface UseOptions {
  /**
   * Patterns of the partition keys that may be used, with `*` and `?` as in IAM: `payments/*` for a namespace,
   * `default/lock/*`, `default/once/charge/*`. Default: all of the table.
   */
  readonly leadingKeys?: readonly string[] | undefined
}

/** A table as IAM sees it. */
export interface Granted extends Construct {
  readonly tableArn: string
  readonly encryptionKey: IKey | undefined
  readonly unavailable: readonly string[]
}

/** @throws AlonceError `CONFIG_INVALID` */
export function grantUse(table: Granted, grantee: IGrantable, { leadingKeys }: UseOptions): Grant {
  const actions = table.unavailable.includes('transactions') ? USE : [...USE, ...GUARD]
  return grant(table, grantee, { actions, conditions: leadingKeys && onlyLeadingKeys(leadingKeys) })
}

export const grantInspect = (table: Granted, grantee: IGrantable): Grant => grant(table, grantee, { actions: INSPECT })

export const grantOperate = (table: Granted, grantee: IGrantable): Grant => grant(table, grantee, { actions: OPERATE })

/** For the sweeper of a table without TTL. */
export const grantSweep = (table: Granted, grantee: IGrantable): Grant => grant(table, grantee, { actions: SWEEP })

type Conditions = { readonly [operator: string]: { readonly [key: string]: string | readonly string[] } }

interface Permission {
  readonly actions: readonly string[]
  readonly conditions?: Conditions | undefined
}

function grant(table: Granted, grantee: IGrantable, { actions, conditions }: Permission): Grant {
  const onTable = Grant.addToPrincipal({
    grantee,
    actions: [...actions],
    resourceArns: [table.tableArn],
    ...(conditions && { conditions }),
  })
  if (!table.encryptionKey) return onTable
  // Reads and writes alike make DynamoDB decrypt the table's own key in the caller's name; what else it needs of the key it
  // was given when the table was made.
  const onKey = Grant.addToPrincipal({
    grantee,
    actions: ['kms:Decrypt'],
    resourceArns: [table.encryptionKey.keyArn],
    conditions: { StringEquals: { 'kms:ViaService': `dynamodb.${regionOf(table)}.amazonaws.com` } },
  })
  return onTable.combine(onKey)
}

/** An imported table's ARN says where it lies. */
const regionOf = (table: Granted): string => /^arn:[\w-]+:dynamodb:([\w-]+):/.exec(table.tableArn)?.[1] ?? Stack.of(table).region

/** `ForAllValues` holds for a request without any leading key too, a Scan say: `Null` refuses those. */
function onlyLeadingKeys(patterns: readonly string[]): Conditions {
  if (patterns.length === 0)
    throw configInvalid('leadingKeys', 'is empty: leave it out to grant the whole table, or name a pattern.')
  for (const pattern of patterns) checkPattern(pattern)
  return { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': patterns }, Null: { 'dynamodb:LeadingKeys': 'false' } }
}

const NAMESPACE_FIRST = /^[\w.-]{1,64}\/./

function checkPattern(pattern: string): void {
  if (typeof pattern === 'string' && NAMESPACE_FIRST.test(pattern)) return
  throw configInvalid(
    'leadingKeys',
    `holds "${pattern}", which does not begin with a namespace and "/": write "payments/*" or "default/lock/*". A "*" in the namespace's place would let in the namespaces that begin alike.`,
  )
}
