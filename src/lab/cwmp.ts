/** The part of CWMP that a session with one Inform needs: writing and reading its SOAP. (TR-069 Amendment 6, A.3.3.1) */

const ENVELOPE =
  '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"' +
  ' xmlns:soap-enc="http://schemas.xmlsoap.org/soap/encoding/"' +
  ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"' +
  ' xmlns:cwmp="urn:dslforum-org:cwmp-1-0">';

export const PERIODIC = '2 PERIODIC';
export const CONNECTION_REQUEST = '6 CONNECTION REQUEST';

export interface Inform {
  /** The envelope's cwmp:ID, echoed in the answer. */
  id: string;
  serial: string;
  eventCodes: string[];
}

export function informText(inform: Inform, now: Date): string {
  const events = inform.eventCodes
    .map((code) => `<EventStruct><EventCode>${code}</EventCode><CommandKey/></EventStruct>`)
    .join('');
  return envelope(
    inform.id,
    '<cwmp:Inform><DeviceId><Manufacturer>acsplit</Manufacturer><OUI>00D09E</OUI>' +
      `<ProductClass>lab</ProductClass><SerialNumber>${inform.serial}</SerialNumber></DeviceId>` +
      `<Event soap-enc:arrayType="cwmp:EventStruct[${inform.eventCodes.length}]">${events}</Event>` +
      `<MaxEnvelopes>1</MaxEnvelopes><CurrentTime>${now.toISOString()}</CurrentTime><RetryCount>0</RetryCount>` +
      '<ParameterList soap-enc:arrayType="cwmp:ParameterValueStruct[0]"/></cwmp:Inform>',
  );
}

export function informResponseText(id: string): string {
  return envelope(id, '<cwmp:InformResponse><MaxEnvelopes>1</MaxEnvelopes></cwmp:InformResponse>');
}

/** Reads an Inform; undefined if the text contains none. */
export function parseInform(text: string): Inform | undefined {
  if (!/<cwmp:Inform>/.test(text)) return undefined;
  return {
    id: textOf(text, 'cwmp:ID'),
    serial: textOf(text, 'SerialNumber'),
    eventCodes: [...text.matchAll(/<EventCode>([^<]*)<\/EventCode>/g)].map((match) => match[1] as string),
  };
}

/** Whether the text is an InformResponse to the Inform with this ID. */
export function isInformResponse(text: string, id: string): boolean {
  return /<cwmp:InformResponse>/.test(text) && textOf(text, 'cwmp:ID') === id;
}

function envelope(id: string, body: string): string {
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n${ENVELOPE}` +
    `<soap:Header><cwmp:ID soap:mustUnderstand="1">${id}</cwmp:ID></soap:Header>` +
    `<soap:Body>${body}</soap:Body></soap:Envelope>\n`
  );
}

function textOf(text: string, tag: string): string {
  return new RegExp(`<${tag}(?: [^>]*)?>([^<]*)</${tag}>`).exec(text)?.[1] ?? '';
}
