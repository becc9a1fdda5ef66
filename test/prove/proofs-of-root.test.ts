/** The smallest instance of those proofs that need network namespaces. */
import { testProofs } from './smallest';

jest.setTimeout(300_000);

testProofs(true);
