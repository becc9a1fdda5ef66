/** The lab's few CWMP texts, written and read back. */
import { informResponseText, informText, isInformResponse, parseInform } from '../../../src/lab/cwmp';

const INFORM = { id: '7', serial: '10.1.0.17', eventCodes: ['1 BOOT', '6 CONNECTION REQUEST'] };

describe('CWMP texts', () => {
  it('an Inform is read as it was written', () => {
    expect(parseInform(informText(INFORM, new Date(0)))).toEqual(INFORM);
  });

  it.each(['', 'not XML', informResponseText('7')])('not an Inform: %p', (text) => {
    expect(parseInform(text)).toBeUndefined();
  });

  it('an InformResponse belongs to the Inform with its ID', () => {
    expect(isInformResponse(informResponseText('7'), '7')).toBe(true);
    expect(isInformResponse(informResponseText('8'), '7')).toBe(false);
    expect(isInformResponse(informText(INFORM, new Date(0)), '7')).toBe(false);
  });
});
