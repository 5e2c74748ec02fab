/** `npx cdk synth`, `deploy`, `diff`, `destroy`: Node runs this file as it is. */
import { App } from 'aws-cdk-lib/core'
import { AlonceStack } from './stacks/alonce-stack.ts'

const app = new App()
// No account and no region are written here: the stack goes to wherever the credentials lead, and synth needs none.
new AlonceStack(app, 'Alonce', {
  description: 'Alonce: idempotent payments, orders and settlements',
  paymentProviderUrl: String(app.node.tryGetContext('alonce:paymentProviderUrl')),
})
app.synth()
