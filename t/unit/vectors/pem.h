/*
 * Keys in every PEM form that an operator may hand over; made for these tests,
 * used nowhere else.
 */

#ifndef AKL_VECTORS_PEM_H
#define AKL_VECTORS_PEM_H


/* RSA 2048, PKCS #8 */
static const char  pem_rsa[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQDHipv6iWafld87\n"
    "VoQrVuNQG2GQCHbHoF1GXe+cBjyDbhmXTVbSl1mUWbg4r/WIHfH/xZ/fuDrn7wVp\n"
    "MrcrvIgTUqL9CJ3nRkESTM/GsZyxvtme/B+clRa4Xk4Sc7eLJVWehm2xIrPQ9mwg\n"
    "0XxeCC/fjwd1TtkE/rz5tgyT1Vxl3YkIPW7egZwoYmnI3+sfx6f2wCbPVGGKcf8T\n"
    "Pk+Qpu4u3O5uh/jT8hIudwcVR1Wv3jZBSmNl2byRqeTvW1ANysuHfRSon5rZDRzx\n"
    "WH6FEQQpOv94lIAil6KPS1L/NOI7+gu7BcKEtq2e+MwL4Hh3yTtmNLnaQM9c0LVl\n"
    "Sds3AyC5AgMBAAECggEAFjUXMG4nyXV+02YIziD8qe7uL/89JvDySJFOSDVKeU8g\n"
    "0n21PrlA6zmD/u0YXKaGhxJ5vUaN6b+ogMF38Mpp84qUIKibmEBxoAWD70dXmtGU\n"
    "ezTwmLbgATNfqX6O7BHC4mJwJVFpJUWzmYBvALEVEOKkcBoPHZbzNbBc3HwXrS9k\n"
    "/auegTen7l4bWcCstRBSuM9WEXCm1mfiu0o2kBqkyk4lvmcDmv/C6SW7nbvdKX9D\n"
    "fm0BrBMm+i6SIDYOENi5pf7YxS5w1GyUk7PAgI8AWALEUHEMnakyRIuIo+aUjrOF\n"
    "tj8D2x/2TeBG32X1lKOKm6d5FIs2EOC/J/ChtKadfQKBgQDupG4fk5mwCWv4e90q\n"
    "rtJmzrOX0mrpLQHYoQXReitz1PnlIFM2jbKWlUQ19PIiwsjiwQo8OkknZlJFAvOC\n"
    "eiZIkj/lmCrYVl0TfH+JnPT2s46U5tqvYedvGiW/86uvSQzeCMijiiE7hEVZCjc1\n"
    "/2ss8wsP0D+qOAUfsbFi+UQCFQKBgQDWDhzjkDhNM+OLCrDwPLH6ZuHW0PF/fOwj\n"
    "xcQTaYbqPQDBGyVt5+PldXaQvTuW5EI1cPKXLy+jgQ0eA4vvoDKbsddYSVop2qgR\n"
    "zMr680VSt6nlNHuKMn49oLGIOC6sLZ4CDPFmriVBdqFG6qR17hMqP/N9exuqvkLt\n"
    "aj9Au1FhFQKBgQCmooaK4gPU2h9ceREsNrqQMxFQmAszGsxJOdbYONiSn0qHZZT1\n"
    "aOglIcFpc8qH3z9qpqTA/WoLavVTXwYuO6Dz17tqVGDGgzem3a4op0Kd6S9MZg6Z\n"
    "nGGAQN/PMxTU5stnVvbSyyb9ahUKYYm/2MQ7tNIqjp2F/GwHf4p/s9J7KQKBgQCz\n"
    "NwGs7VSWHrmF8h+OI+MHORggWLO4/4hdsvilIBcbCpQVGXtO93Vw6dWo/SZlARsF\n"
    "z1jsh08lX6jx1hpVOBTnEhCwFEnu/Oj2bjYLwZ3q0WbnRfehDwFu65l36UH6Wf8O\n"
    "zHNYerkqg/4nd9DWA8v79asRBf92BvHWALyQn8RUuQKBgQCZWB/cITxmL2sKmsFp\n"
    "3em0AFQjRdKeGYmdK3NIw8qPNVpzsag2eRh5eYvQehmyoDUxM1kUtfx1EGJRHMzc\n"
    "5cYqXpbQaKV7cr9WhnZKdJycjHqwM501M8L6MBjejZKi4aNwTm4kjVmwTT6bUHET\n"
    "bRieTfJNSrKLYVqDaB5Z9ceOIQ==\n"
    "-----END PRIVATE KEY-----\n";

/* the same key, PKCS #1 */
static const char  pem_rsa_pkcs1[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEpQIBAAKCAQEAx4qb+olmn5XfO1aEK1bjUBthkAh2x6BdRl3vnAY8g24Zl01W\n"
    "0pdZlFm4OK/1iB3x/8Wf37g65+8FaTK3K7yIE1Ki/Qid50ZBEkzPxrGcsb7Znvwf\n"
    "nJUWuF5OEnO3iyVVnoZtsSKz0PZsINF8Xggv348HdU7ZBP68+bYMk9VcZd2JCD1u\n"
    "3oGcKGJpyN/rH8en9sAmz1RhinH/Ez5PkKbuLtzubof40/ISLncHFUdVr942QUpj\n"
    "Zdm8kank71tQDcrLh30UqJ+a2Q0c8Vh+hREEKTr/eJSAIpeij0tS/zTiO/oLuwXC\n"
    "hLatnvjMC+B4d8k7ZjS52kDPXNC1ZUnbNwMguQIDAQABAoIBABY1FzBuJ8l1ftNm\n"
    "CM4g/Knu7i//PSbw8kiRTkg1SnlPINJ9tT65QOs5g/7tGFymhocSeb1Gjem/qIDB\n"
    "d/DKafOKlCCom5hAcaAFg+9HV5rRlHs08Ji24AEzX6l+juwRwuJicCVRaSVFs5mA\n"
    "bwCxFRDipHAaDx2W8zWwXNx8F60vZP2rnoE3p+5eG1nArLUQUrjPVhFwptZn4rtK\n"
    "NpAapMpOJb5nA5r/wuklu5273Sl/Q35tAawTJvoukiA2DhDYuaX+2MUucNRslJOz\n"
    "wICPAFgCxFBxDJ2pMkSLiKPmlI6zhbY/A9sf9k3gRt9l9ZSjipuneRSLNhDgvyfw\n"
    "obSmnX0CgYEA7qRuH5OZsAlr+HvdKq7SZs6zl9Jq6S0B2KEF0Xorc9T55SBTNo2y\n"
    "lpVENfTyIsLI4sEKPDpJJ2ZSRQLzgnomSJI/5Zgq2FZdE3x/iZz09rOOlObar2Hn\n"
    "bxolv/Orr0kM3gjIo4ohO4RFWQo3Nf9rLPMLD9A/qjgFH7GxYvlEAhUCgYEA1g4c\n"
    "45A4TTPjiwqw8Dyx+mbh1tDxf3zsI8XEE2mG6j0AwRslbefj5XV2kL07luRCNXDy\n"
    "ly8vo4ENHgOL76Aym7HXWElaKdqoEczK+vNFUrep5TR7ijJ+PaCxiDgurC2eAgzx\n"
    "Zq4lQXahRuqkde4TKj/zfXsbqr5C7Wo/QLtRYRUCgYEApqKGiuID1NofXHkRLDa6\n"
    "kDMRUJgLMxrMSTnW2DjYkp9Kh2WU9WjoJSHBaXPKh98/aqakwP1qC2r1U18GLjug\n"
    "89e7alRgxoM3pt2uKKdCnekvTGYOmZxhgEDfzzMU1ObLZ1b20ssm/WoVCmGJv9jE\n"
    "O7TSKo6dhfxsB3+Kf7PSeykCgYEAszcBrO1Ulh65hfIfjiPjBzkYIFizuP+IXbL4\n"
    "pSAXGwqUFRl7Tvd1cOnVqP0mZQEbBc9Y7IdPJV+o8dYaVTgU5xIQsBRJ7vzo9m42\n"
    "C8Gd6tFm50X3oQ8BbuuZd+lB+ln/DsxzWHq5KoP+J3fQ1gPL+/WrEQX/dgbx1gC8\n"
    "kJ/EVLkCgYEAmVgf3CE8Zi9rCprBad3ptABUI0XSnhmJnStzSMPKjzVac7GoNnkY\n"
    "eXmL0HoZsqA1MTNZFLX8dRBiURzM3OXGKl6W0Gile3K/VoZ2SnScnIx6sDOdNTPC\n"
    "+jAY3o2SouGjcE5uJI1ZsE0+m1BxE20Ynk3yTUqyi2Fag2geWfXHjiE=\n"
    "-----END RSA PRIVATE KEY-----\n";

/* its public half, SubjectPublicKeyInfo */
static const char  pem_rsa_spki[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAx4qb+olmn5XfO1aEK1bj\n"
    "UBthkAh2x6BdRl3vnAY8g24Zl01W0pdZlFm4OK/1iB3x/8Wf37g65+8FaTK3K7yI\n"
    "E1Ki/Qid50ZBEkzPxrGcsb7ZnvwfnJUWuF5OEnO3iyVVnoZtsSKz0PZsINF8Xggv\n"
    "348HdU7ZBP68+bYMk9VcZd2JCD1u3oGcKGJpyN/rH8en9sAmz1RhinH/Ez5PkKbu\n"
    "Ltzubof40/ISLncHFUdVr942QUpjZdm8kank71tQDcrLh30UqJ+a2Q0c8Vh+hREE\n"
    "KTr/eJSAIpeij0tS/zTiO/oLuwXChLatnvjMC+B4d8k7ZjS52kDPXNC1ZUnbNwMg\n"
    "uQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

/* its public half, PKCS #1 */
static const char  pem_rsa_public_pkcs1[] =
    "-----BEGIN RSA PUBLIC KEY-----\n"
    "MIIBCgKCAQEAx4qb+olmn5XfO1aEK1bjUBthkAh2x6BdRl3vnAY8g24Zl01W0pdZ\n"
    "lFm4OK/1iB3x/8Wf37g65+8FaTK3K7yIE1Ki/Qid50ZBEkzPxrGcsb7ZnvwfnJUW\n"
    "uF5OEnO3iyVVnoZtsSKz0PZsINF8Xggv348HdU7ZBP68+bYMk9VcZd2JCD1u3oGc\n"
    "KGJpyN/rH8en9sAmz1RhinH/Ez5PkKbuLtzubof40/ISLncHFUdVr942QUpjZdm8\n"
    "kank71tQDcrLh30UqJ+a2Q0c8Vh+hREEKTr/eJSAIpeij0tS/zTiO/oLuwXChLat\n"
    "nvjMC+B4d8k7ZjS52kDPXNC1ZUnbNwMguQIDAQAB\n"
    "-----END RSA PUBLIC KEY-----\n";

/* its public half, in a certificate */
static const char  pem_rsa_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIC+TCCAeGgAwIBAgIURehmLx1aUb/gYmZJA3EjWyXjo3swDQYJKoZIhvcNAQEL\n"
    "BQAwDDEKMAgGA1UEAwwBdDAeFw0yNjExMjMyMzA1NTFaFw0zNjExMjAyMzA1NTFa\n"
    "MAwxCjAIBgNVBAMMAXQwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQDH\n"
    "ipv6iWafld87VoQrVuNQG2GQCHbHoF1GXe+cBjyDbhmXTVbSl1mUWbg4r/WIHfH/\n"
    "xZ/fuDrn7wVpMrcrvIgTUqL9CJ3nRkESTM/GsZyxvtme/B+clRa4Xk4Sc7eLJVWe\n"
    "hm2xIrPQ9mwg0XxeCC/fjwd1TtkE/rz5tgyT1Vxl3YkIPW7egZwoYmnI3+sfx6f2\n"
    "wCbPVGGKcf8TPk+Qpu4u3O5uh/jT8hIudwcVR1Wv3jZBSmNl2byRqeTvW1ANysuH\n"
    "fRSon5rZDRzxWH6FEQQpOv94lIAil6KPS1L/NOI7+gu7BcKEtq2e+MwL4Hh3yTtm\n"
    "NLnaQM9c0LVlSds3AyC5AgMBAAGjUzBRMB0GA1UdDgQWBBSjV1pDExJ3M45hTxpA\n"
    "cGDSCGEMBzAfBgNVHSMEGDAWgBSjV1pDExJ3M45hTxpAcGDSCGEMBzAPBgNVHRMB\n"
    "Af8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQAzJg+KD2MC87BT655mBPUM2Z/s\n"
    "+hrUonfudbRr0RhmHxvsVoz8iObFlPMqxi4wAdm8+5Ni+7e19Huedeaj3mNmDNqY\n"
    "4BWPMAVH5ErVbhQ/vHt+L+Ci89WxECLjpG2DAyrUE2+OMql9iklvMR+bvRpV/yfk\n"
    "kaEgWTVFMre7xenF1FgTcR8sOaR5HaIKgxNPgrL7JVKR8h6oU5assDoVJyVjLo9o\n"
    "I2ubLKjQ/n/QFI5qryt/O7Nh59i0/ENasPcbHHvnBdu3wstf8I1TQPBNj8wv2Tdx\n"
    "LwUaj1l/kGQE2vEeVqRfxuDLA1GykCeAjgBRUUn5N5YXkJS25XDR+bXVefPt\n"
    "-----END CERTIFICATE-----\n";

/* RSA 1024 */
static const char  pem_rsa_1024[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBALTn85SaOeskcNEA\n"
    "+0ep2PGT8hX1pAwOGe81icfwlMczwH8eap/9NSbe6BEyZ5tqB8B69XicflVdXuPN\n"
    "zLLRcGyE1Kk/lfDXIMUAXIqV0hK2qvzWsTiN4SduhX8aepTaU6IbglrvdQI+I2Yp\n"
    "wkFOYv5Rp6gwDxIW0HDAFi0f0nLVAgMBAAECgYAovMrnPcupHe2hwxzSyHan/+7V\n"
    "7xjf9hT0/xNlyNFYAlloxsqv+G8Nr8iGhtk58CiKuaWpYWQ5iOsjVWaxJeSwylRv\n"
    "fhVakMhOcPUE424Jnw2BJvGx/9fuM6WOPZO20Wwj3l/FAOhysmMiKzzYo6U6xUAB\n"
    "TspYM8+hUPhwwfWCyQJBANfjCP/TwWf+OZSuHok4zv2M4piehBl7qRy6YvfQRiB2\n"
    "co73xKXlAJ7eLD+Y+Sk5+x1eQ9Fsr8RH7qSxR6McxoMCQQDWhQFPqv/DdWezFsgM\n"
    "IbGuYL6KfLXilTISTzAz+lZofgAUeZkntizwdIDSItS/X4IRgsPDAeB2r7EbDSmV\n"
    "KeHHAkBbhG0eNiA4+3ZhZuae+SwWJBEy7Y/GVbu85+5oaywvOscZgEMmqEt5DWno\n"
    "k+qb5W5kZr+NGevw4yVxP43EwcANAkA8sIJPdLRJKvT8kKxl6j5ndA1UBrY6dTUm\n"
    "QusDOYaqp0MEh+ZRetO572vmh14jCjU1GQajK+vCCDCV06J5BdFPAkEAtptoU725\n"
    "Z0w4VDIYim6TG5zvKmTOPl/xwfnUtp1i3EEDpDoFpJM/w9vLNk4/x+xDlRQUAO+9\n"
    "ZqYXKLp1wTywoA==\n"
    "-----END PRIVATE KEY-----\n";

/* RSA 2048 restricted to PSS */
static const char  pem_rsa_pss[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEuwIBADALBgkqhkiG9w0BAQoEggSnMIIEowIBAAKCAQEAtTBKRHrJBXHWVN8h\n"
    "t2+pkAQxZT59JhXX4HCR7ABWIdR4kHOMYnPEgwWSesraPkCItvuGtH0AtvSOE2pK\n"
    "Kv39gb9d4v8aowN5B1CG8GhoTd1SOzNTZ7N3BxHqMzxCyBt5QMXWKKcuk2M79ZQj\n"
    "3sKw7TZdYh49dQs5npfDbba3S+ANijryGxUfE31fYMfqrSxMNZRTAJsT0KvurXmH\n"
    "Z/V/uTHa+lzy/2pGyrrRIZmjk6LAjBV2AqnN4Jh8TRbuRrA/f6i6lemZK1p9Xe7h\n"
    "lYw7v1wbYIlrr81IRZfbz3Mf8oG5yUfv8+cVJH/WYVpjhM6BW10YZebiyCysAj0B\n"
    "cgl3iQIDAQABAoIBAAm+ZvILkdmoe2ydQsKK/1kCtrbRf1iv2kgEOb6xrnAbjV/E\n"
    "TP+C5wWeRDg1BjtMjGWdvWrhoYsVN/pAkCxDdDF47Xc+fYvYbRbo/Fa7oKdWUHyl\n"
    "SBYWsz8Wtivq8NLy0kia0wdk5TbxIll0reCmAu6AytES2/56O+8kzXJOHgmXE7oF\n"
    "oj8iAAx8bMK52B3o/FtmWVQFOu+MYa0Yk66cCs70TjDSEFYXqTui5owBajQOyW0Z\n"
    "EBYyWRf3sg5N+sXRCdrZYLoouBJEr+VOcEZoPm8iM4jZAVRFAVY3lf8PGXCjsO+/\n"
    "nJXP+e4AK2z3xedunIDIQW8H72gcIwfHMl8h4TECgYEA9ZzybjfLfpFK1tnCMJLo\n"
    "9zSfCH5XFr0GDLaGJlRj72PuKlUF8bzP1W0tWJ8pkXYotM1U/XeTWI3uRYjbWTtC\n"
    "EESLBtGzbFXH/zSlM6xaJXLzP7I3b42UfCdWu7DzlHYv0tBh5/2FQN2S319Th4cH\n"
    "aZsF6WiUEy4f+koPtbNootkCgYEAvNnfQPXyS4iLxKH2jFT247LG117cIUQcMSik\n"
    "rMvJdsPdN0dIoSsRsGuENuE2sxlPViSSUJefUlWYQwYl8uyzVN/GuRNKO8MYNvWX\n"
    "ZR8njFC0GQvrUVzAh62QT7/YY5mCrnlhfWBmg85XTTx3i/nRYCj0kn2QhUXOQKXi\n"
    "FmoNLDECgYEAtQCxpEoX/DFErusRccyCRNORs6evtIEeuTW1zP96GkxRkv7Pf6O+\n"
    "ojFwLpQ1BQ7H1t5PGPALNUJ7auD9jVffSq/IqQDXMipRViDM8jS8xkZdPv6uXdY/\n"
    "q/Mttuojx7AFdF2/GUE691+Swmy02PbInqnxBF7eaPgf9sqnoycRIJkCgYBWRaWy\n"
    "tGiKzwcivea2tv3OiVZC/yfK3qWOY4XPFo2jftipLxxj3BwJnyRYOcxWRyKyNKTO\n"
    "wmVbJJUZUU62yiEmjc/nroNEB90hBlKyNGhJtnh/1K0cjyW5FbYOaJK+9Vr4v6Sk\n"
    "tQw//FxvgUcPoAFhT3RjE4+ZAom1iNJe8PWxkQKBgBwg7AcLteA6JezGSzMDuDPy\n"
    "HJnCFj2dPFzR0Q7z7T+50M2PhywgDHTU1USDqke+mN6cx3fLf5EvKoM9o9RA2l+X\n"
    "HRrGjCodSo51JuibklKisPpsv5Pot8chpJLVoFYq2l6TzdNb69kt4s0tUzsZXPzv\n"
    "ztkZ169axYmj+Y83Osj7\n"
    "-----END PRIVATE KEY-----\n";

/* public RSA 2048 with e = 1 */
static const char  pem_rsa_e1[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIDANBgkqhkiG9w0BAQEFAAOCAQ0AMIIBCAKCAQEAofgWCuLjybRlzo0tZWJj\n"
    "NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n"
    "P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n"
    "9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n"
    "EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n"
    "FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n"
    "oQIBAQ==\n"
    "-----END PUBLIC KEY-----\n";

/* the same, PKCS #1 */
static const char  pem_rsa_e1_pkcs1[] =
    "-----BEGIN RSA PUBLIC KEY-----\n"
    "MIIBCAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W2\n"
    "6mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMs\n"
    "D1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5\n"
    "z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv\n"
    "b3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8q2et\n"
    "hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIBAQ==\n"
    "-----END RSA PUBLIC KEY-----\n";

/* public RSA of 16384 bits */
static const char  pem_rsa_16k[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIIIjANBgkqhkiG9w0BAQEFAAOCCA8AMIIICgKCCAEAw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD\n"
    "w8PDw8PDw8PDw8PDw8PDw8UCAwEAAQ==\n"
    "-----END PUBLIC KEY-----\n";

/* P-256 with EC PARAMETERS in front, SEC 1 */
static const char  pem_p256[] =
    "-----BEGIN EC PARAMETERS-----\n"
    "BggqhkjOPQMBBw==\n"
    "-----END EC PARAMETERS-----\n"
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIKLyzpaUJ4Z7xTM4As1m3LX6Si6xQ9TmvgkD5ub/C2UCoAoGCCqGSM49\n"
    "AwEHoUQDQgAEqViESJC04egMU1u9MvgM//510XAzVz9f7AG5f6DeHqI9sV7Ck+Ey\n"
    "qxumnIjozNG274r3DSqbBkQZp2EcrUdekQ==\n"
    "-----END EC PRIVATE KEY-----\n";

/* the same key, PKCS #8 */
static const char  pem_p256_pkcs8[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgovLOlpQnhnvFMzgC\n"
    "zWbctfpKLrFD1Oa+CQPm5v8LZQKhRANCAASpWIRIkLTh6AxTW70y+Az//nXRcDNX\n"
    "P1/sAbl/oN4eoj2xXsKT4TKrG6aciOjM0bbvivcNKpsGRBmnYRytR16R\n"
    "-----END PRIVATE KEY-----\n";

/* the same key, public point compressed */
static const char  pem_p256_compressed[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MFcCAQEEIKLyzpaUJ4Z7xTM4As1m3LX6Si6xQ9TmvgkD5ub/C2UCoAoGCCqGSM49\n"
    "AwEHoSQDIgADqViESJC04egMU1u9MvgM//510XAzVz9f7AG5f6DeHqI=\n"
    "-----END EC PRIVATE KEY-----\n";

/* its public half */
static const char  pem_p256_spki[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqViESJC04egMU1u9MvgM//510XAz\n"
    "Vz9f7AG5f6DeHqI9sV7Ck+EyqxumnIjozNG274r3DSqbBkQZp2EcrUdekQ==\n"
    "-----END PUBLIC KEY-----\n";

/* the same key under a password, SEC 1 */
static const char  pem_p256_encrypted[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,BD80D9F61F7BFF701DB50B0C4A48733D\n"
    "\n"
    "RdEgksAi613UwzL8rOds18gLV5zF0L9OcCYX/o8g1mTxZUelsJpDj9RAnA1K+YeM\n"
    "uhClIM0cKTpEdsCTIi7wcykJLkstRS4zj1sGGVs4PVqqRSs8DVFCQ8rdYDzFkNs4\n"
    "thtfQXLMYfroRQD7dpgToGIR2qtcEKerVF9vdf5HdEU=\n"
    "-----END EC PRIVATE KEY-----\n";

/* the same key under a password, PKCS #8 */
static const char  pem_p256_encrypted_pkcs8[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjrKBLC6GvE7AICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJVD1N2OBAUpz7EKMVE6WmYEgZB/\n"
    "ZZa5PmK35D5zSGprZhX7bu3FP17mmS2kp4J9vFXjEa3uV6j5uch6CzcpP4zqC1/5\n"
    "+8YAbLLPaN96dPG3uD+WE2qglN8Bde+oVkUZchvsXJOsZD5rl6Uo4Zkl6exS/zNk\n"
    "GVmoVkUvczY6qMW62xpD/TlLSPvlolPQKQbFPZTHA1i/3dFesrgyltHFkx7alkw=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

/* P-256 with explicit parameters */
static const char  pem_p256_explicit[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MIIBaAIBAQQg6eiygXPpXYgLvsplIoNs2O/e9yWcIw/bBRK0FQplMs+ggfowgfcC\n"
    "AQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////////////////\n"
    "MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57Pr\n"
    "vVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEE\n"
    "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54W\n"
    "K84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA//////////+85vqtpxeehPO5ysL8\n"
    "YyVRAgEBoUQDQgAEM+GTMKlurss0ssWj2tjjMZDGmlRTVbu2+bXQm5TF6RTJ1PYz\n"
    "FriW1eyDTDeYnTAV+Ysu9CVaPTWhaPJQVehT8g==\n"
    "-----END EC PRIVATE KEY-----\n";

/* P-256 whose public half is of another key */
static const char  pem_p256_mismatch[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIKLyzpaUJ4Z7xTM4As1m3LX6Si6xQ9TmvgkD5ub/C2UCoAoGCCqGSM49\n"
    "AwEHoUQDQgAEuxal7NYF1bJunRWYqVsL3kgm7X8UQjo7jJLqYPyVM/p0+M+bwPyD\n"
    "nQSu7jxBLKntv8DBu4pbUEw4pM2hvzfW3A==\n"
    "-----END EC PRIVATE KEY-----\n";

/* P-384 */
static const char  pem_p384[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MIGkAgEBBDDRmGxSG1yLcSfjS/WH3jynEQldFgH8UaqdbhW3kLwGbXkqgvYvpQxE\n"
    "WquUEAjg1SSgBwYFK4EEACKhZANiAAS4H9BRqEbQ5mCfdMdA/gh6ka8FprSs4+GM\n"
    "92xHM9PDB2l7+4WMbtjHRT9nQskXm1eLsJt73K1EXsSELYqPT4yfBEBDGTuxMhq4\n"
    "DYuQPV0WUVqrI9crwPvPfOewxWg82qA=\n"
    "-----END EC PRIVATE KEY-----\n";

/* P-521 */
static const char  pem_p521[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MIHcAgEBBEIAZ49UsLsYwjvkqROYHY7XAQPRB6H3mqJrHkpSR6sNzy2J3KnPBAXX\n"
    "tPhlHGCpyBZVKYNEI3nJHyeYdHMeoaOI68OgBwYFK4EEACOhgYkDgYYABABXLb0h\n"
    "0795gx7ycXhwJ3cyWXsm+IKFBcRTqXtKf80MJfdjpLo/i3umVh6XFzFX8TBzLztf\n"
    "tKvnu8JucLgivV8e0AEOAmtZmmSkiidvXdRQYJuFF0L2wR2Fi73Oq76SaFzup/Iu\n"
    "iFo15DCeeYuZkCGgiT0ZJ27V6jizXmjM2BQIvR0GaA==\n"
    "-----END EC PRIVATE KEY-----\n";

/* its public half */
static const char  pem_p521_spki[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAVy29IdO/eYMe8nF4cCd3Mll7JviC\n"
    "hQXEU6l7Sn/NDCX3Y6S6P4t7plYelxcxV/Ewcy87X7Sr57vCbnC4Ir1fHtABDgJr\n"
    "WZpkpIonb13UUGCbhRdC9sEdhYu9zqu+kmhc7qfyLohaNeQwnnmLmZAhoIk9GSdu\n"
    "1eo4s15ozNgUCL0dBmg=\n"
    "-----END PUBLIC KEY-----\n";

/* secp256k1, the curve of ES256K */
static const char  pem_secp256k1[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHQCAQEEIDGfsBR0TIHm7NZfH9nyw5li1BtSzjUOqegDwICkD2K/oAcGBSuBBAAK\n"
    "oUQDQgAEZFRl4OgKtk11GANUtnJNNic1tva6IX0KUucfkmW3GHITx5X4bqNi2yK0\n"
    "z75j9B+7mOFHZqu2aEzDL9XgzRTMwg==\n"
    "-----END EC PRIVATE KEY-----\n";

/* Ed25519 */
static const char  pem_ed25519[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIPIasczN0OLhLBHNlxzXW6qt+h4VnJJN7W4PNaNZ0nDw\n"
    "-----END PRIVATE KEY-----\n";

/* X25519, which signs nothing */
static const char  pem_x25519[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VuBCIEIIC8M8yczwW3GfWjzbzeTT3Gdqinr6ur/V61zi/AFL92\n"
    "-----END PRIVATE KEY-----\n";

/* Ed448 */
static const char  pem_ed448[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MEcCAQAwBQYDK2VxBDsEOfKc3mcDq+yQFvBOuYy/B6kQvFckvuk2qd7OhEoW8lWY\n"
    "Ujg5z+boMCwXrk96mwiGn2zDnqjfq6D57w==\n"
    "-----END PRIVATE KEY-----\n";


#endif /* AKL_VECTORS_PEM_H */
