import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.util.JSONObjectUtils;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.text.ParseException;
import java.util.Map;

/** The snippet of docs/relying-parties.md: java Main ISSUER AUDIENCE */
public class Main {

    static void say(String name, Object value) {
        System.out.println(JSONObjectUtils.toJSONString(Map.of(name, value)));
    }

    public static void main(String[] args) throws Exception {
        var jar = Path.of(JOSEException.class.getProtectionDomain()
            .getCodeSource().getLocation().toURI()).getFileName().toString();

        System.out.println(JSONObjectUtils.toJSONString(Map.of(
            "client", "Java " + jar.replaceFirst("-([0-9.]+)\\.jar$", " $1"),
            "runtime", "Java " + Runtime.version())));

        var verifier = new Verifier(args[0], args[1]);
        var lines = new BufferedReader(new InputStreamReader(System.in));

        for (String token; (token = lines.readLine()) != null; ) {
            try {
                say("claims", verifier.verify(token).toJSONObject());
            } catch (BadJOSEException | JOSEException | ParseException e) {
                say("error", e.getClass().getSimpleName() + ": "
                    + e.getMessage());
            }
        }
    }
}
