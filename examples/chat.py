"""A chat. Start it in two terminals, in the same folder:

    python examples/chat.py Ada
    python examples/chat.py Grace

The first process serves the folder's rooms, and the second one connects to it. When the first one ends, the
other one goes on. To chat over a network, give the URL of a node: your own (flowthings-like serve
--things-port) or a ThingsDB:

    python examples/chat.py Ada --node things://user:password@host:9200 --scope //stuff
"""

import argparse
import sys

from flowthings_like import API, Client, ConnectionFailed, Room, event

LAST_WORDS = ".has('talk') ? .talk[-5:] : [];"
KEEP = """
.has('talk') || .talk = [];
.talk.push(line);
.talk.len() > 100 && .talk.shift();
nil;
"""


class Chat(Room):
    def on_join(self):
        for line in self.client.query(LAST_WORDS, self.scope):
            print(line)
        print("-- you are in; write a line, or end with Ctrl-D")

    @event("said")
    def on_said(self, line):
        print(line)

    def on_delete(self):
        print("-- somebody deleted the room")

    def tell(self, line, keep=False):
        try:
            if keep:
                self.client.query(KEEP, self.scope, line=line)
            self.emit("said", line, peers_only=True)
        except (
            ConnectionFailed
        ):  # the process that serves the room has ended; the next call waits for another
            print("-- that may not have been sent")


def main(name, client, scope):
    client.set_default_scope(scope)
    chat = Chat(".has('chat') || .chat = room(); .chat.id();")
    chat.join(client)
    chat.tell(f"-- {name} is here")
    for text in sys.stdin:
        chat.tell(f"{name}: {text.rstrip()}", keep=True)
    chat.tell(f"-- {name} has left")
    chat.leave()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", help="what to call you")
    parser.add_argument("--folder", default="chat-data", help="an embedded platform's folder (chat-data)")
    parser.add_argument("--node", metavar="URL", help="a node to chat at instead")
    parser.add_argument("--scope", default="//stuff", help="the collection (//stuff)")
    options = parser.parse_args()
    try:
        if options.node:
            client = Client()
            client.connect(options.node)
            main(options.name, client, options.scope)
            client.close_and_wait()
        else:
            with API.embedded(options.folder) as api:
                main(options.name, api.things, options.scope)
    except KeyboardInterrupt:
        print()
