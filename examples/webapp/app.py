"""A web service in Flask that looks up 20 hours of a weather station for each request, all at once.

It has no data and no rights of its own. Each request brings the account and the token of its client, in the
headers X-Auth-Account and X-Auth-Token, and all calls that it makes are made with these:

    curl -H 'X-Auth-Account: acme' -H "X-Auth-Token: $TOKEN" 'http://127.0.0.1:8000/hours?path=/acme/jfk'

README.md says how to start it with gunicorn, eventlet and uWSGI. FLOWTHINGS_HOST is where the platform is.
"""

from flask import Flask, abort, jsonify, render_template, request

from flowthings_like import API, ConfigurationError, FlowThingsForbidden, FlowThingsNotFound, Token, mem
from flowthings_like.integrations.flask import FlowThings, RequestScopes

LOOK_UPS = 20


def credentials(environ):
    """The token of the client, which is asked for when a request first uses the API."""
    account, token = environ.get("HTTP_X_AUTH_ACCOUNT"), environ.get("HTTP_X_AUTH_TOKEN")
    if not account or not token:
        abort(401, "send the headers X-Auth-Account and X-Auth-Token")
    try:
        return Token(account, token)
    except ConfigurationError as error:  # characters that no header can have
        abort(401, str(error))


# Neither line connects. So a server may import this module in its master, and fork its workers afterwards.
api = API.connect()
scopes = RequestScopes(api, credentials=credentials, timeout=20, timeout_header="X-Request-Timeout")

app = Flask(__name__)
flowthings = FlowThings(app, scopes)


def newest_of_each_hour(path):
    """Thunks: the newest drop of each hour. All look-ups are under way when this returns."""
    drops = flowthings.lazy.drop(path)
    return [drops.find(mem.elems.hour == hour, limit=1) for hour in range(LOOK_UPS)]


@app.get("/hours")
def hours():
    return jsonify(hours=newest_of_each_hour(request.args["path"]))


@app.get("/page")
def page():
    path = request.args["path"]
    flow = flowthings.lazy.flow.find(mem.path == path).then(lambda flows: flows[0] if flows else None)
    return render_template("page.html", path=path, flow=flow, hours=newest_of_each_hour(path))


@app.errorhandler(FlowThingsForbidden)
@app.errorhandler(FlowThingsNotFound)
def refused(error):
    """What the client's token may not do, the client is told."""
    return jsonify(error="; ".join(error.errors)), error.status
